"""DAT is the released model: its number of parameters, its positions, its partner branch."""

import pytest
import torch

from damamba.config import ModelParams
from damamba.model import build_model
from damamba.model.architectures.dat import DAT, Encoder
from damamba.presets.apply import read_preset

RELEASED = {"audio": {"egemaps": 88, "w2vbert2": 1024}, "visual": {"clip": 512, "openface2": 714, "openpose": 139}}


def paper(**changes):
    return read_preset("paper-25")["architectures"]["dat"] | changes


def build(cues, **changes):
    return build_model(cues, ModelParams(architecture="dat", cues=None, settings=paper(**changes), weights={}), 25)


@pytest.mark.parametrize(("shared", "count"), [(False, 66_790_581), (True, 41_395_035)])
def test_it_has_the_parameters_of_the_released_model(shared, count):
    # counted from the layer shapes of MSA-LMC/DAT, model/mymodel_M_cross_partnet.py
    with torch.device("meta"):
        model = build(RELEASED, share_partner_weights=shared)
    assert sum(p.numel() for p in model.parameters()) == count


def test_positions_are_the_learned_ones_at_their_length_and_lie_between_them_elsewhere():
    encoder = Encoder(4, 4, DAT.Params.model_validate(paper(position_frames=5, n_heads=2)))
    table = encoder.positions
    torch.testing.assert_close(encoder.place(torch.zeros(2, 5, 4))[1], table)
    longer = encoder.place(torch.zeros(1, 9, 4))[0]
    torch.testing.assert_close(longer[::2], table)
    torch.testing.assert_close(longer[1::2], (table[:-1] + table[1:]) / 2)


def test_partners_have_weights_of_their_own_unless_shared():
    small = {"d_model": 8, "n_heads": 2, "position_frames": 6}
    for shared in (False, True):
        model = build({"audio": {"a": 3}}, **small, share_partner_weights=shared, dropout=0.0)
        x, valid = torch.randn(1, 2, 6, 3), torch.ones(1, 2, 6, dtype=torch.bool)
        model({"a": x}, {"a": valid}, torch.ones(1, 2, dtype=torch.bool)).engagement.sum().backward()
        assert hasattr(model, "partner") != shared
        assert all(
            p.grad is not None and p.grad.abs().sum() > 0 for n, p in model.named_parameters() if "norm" not in n
        )
