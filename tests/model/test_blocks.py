"""The blocks by themselves: masks, directions, streaming."""

import pytest
import torch

from damamba.console import InputError
from damamba.model import DAMamba
from damamba.model.attention import SelfAttention, rotate
from damamba.model.fusion import PartnerGroupFusion
from damamba.model.hybrid import HybridBlock
from damamba.model.mamba import MambaBlock, PartnerMamba
from damamba.scan import ssd_scan
from tests.conftest import frozen_params

AS_ROUNDED = {"rtol": 0, "atol": 1e-5}
SIZES = {"d_state": 4, "headdim": 4}


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.no_grad():
        yield


def sized(**changes):
    return DAMamba.Params.model_validate(frozen_params().architectures["da_mamba"] | SIZES | changes)


def hybrid(causal, **changes):
    return HybridBlock(8, sized(n_heads=2, chunk_frames=8, causal=causal, dropout=0.0, **changes))


def test_parameters_have_the_names_and_shapes_of_mamba_ssm():
    # mamba_ssm.Mamba2(d_model=16, d_state=8, headdim=4, ngroups=2): d_inner 32, conv over x, B and C.
    shapes = {name: tuple(p.shape) for name, p in MambaBlock(16, 8, 4, bidirectional=True).named_parameters()}
    assert shapes == {
        "in_proj.weight": (2 * 32 + 2 * 2 * 8 + 8, 16),
        "conv1d.weight": (64, 1, 4),
        "conv1d.bias": (64,),
        "dt_bias": (8,),
        "A_log": (8,),
        "D": (8,),
        "norm.weight": (32,),
        "out_proj.weight": (16, 32),
    }


def test_each_direction_has_its_own_half_of_the_heads():
    block, x = MambaBlock(8, **SIZES, bidirectional=True), torch.randn(2, 30, 8)
    block.norm.weight.fill_(1)
    inputs = block.project(x, None)
    y = ssd_scan(inputs.x, inputs.dt, -block.A_log.exp(), inputs.B, inputs.C)
    changed = torch.cat((x[:, :20], torch.randn(2, 10, 8)), dim=1)
    inputs = block.project(changed, None)
    other = ssd_scan(inputs.x, inputs.dt, -block.A_log.exp(), inputs.B, inputs.C)
    forwards, backwards = (y - other).abs().amax((0, 3)).chunk(2, dim=1)
    assert (forwards[:20] == 0).all()
    assert (backwards[-20:] != 0).all()  # reversed time: everything comes after the change


@pytest.mark.parametrize("bidirectional", [False, True])
def test_training_keeps_nothing_that_is_cheap_to_compute_again(bidirectional):
    """Memory per frame is what the project is for: a series more of the inner width would be seen here."""
    block, x = MambaBlock(16, 8, 8, bidirectional=bidirectional), torch.randn(2, 20, 16)
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        y = block(x, torch.ones(2, 20, dtype=torch.bool))
    weights = {p.untyped_storage().data_ptr() for p in block.parameters()}
    numbers = sum(t.untyped_storage().nbytes() // 4 for pointer, t in kept.items() if pointer not in weights)
    convolved = block.conv1d.in_channels
    projected = block.in_proj.out_features
    once = 16 + projected + convolved + 2 * block.d_inner  # the input, and the output of scan and of norm
    assert numbers / x[..., 0].numel() < once + 6 * block.heads
    assert y.requires_grad


@pytest.mark.parametrize("bidirectional", [False, True])
def test_missing_frames_read_what_was_seen_before_and_spoil_nothing(bidirectional):
    block, x, valid = (
        MambaBlock(8, **SIZES, bidirectional=bidirectional),
        torch.randn(2, 30, 8),
        torch.ones(2, 30).bool(),
    )
    valid[:, 10:20] = False
    before = block(x, valid)
    x[:, 15] = torch.nan  # whatever stands there
    others = torch.arange(30) != 15
    torch.testing.assert_close(block(x, valid)[:, others], before[:, others])
    x[:, :10] += 1
    assert (block(x, valid) - before)[:, 16:20].abs().amin() > 0


@pytest.mark.parametrize("bidirectional", [False, True])
def test_missing_frames_reach_no_other_frame(bidirectional):
    block, x = MambaBlock(8, **SIZES, bidirectional=bidirectional), torch.randn(2, 30, 8)
    valid = torch.rand(2, 30) > 0.4
    other = torch.where(valid[..., None], x, torch.randn(2, 30, 8))
    torch.testing.assert_close(block(other, valid)[valid], block(x, valid)[valid], rtol=0, atol=0)


@pytest.mark.parametrize("pieces", [[30], [1] * 30, [2, 9, 1, 18]])
def test_a_stream_of_pieces_gives_the_whole(pieces):
    x, valid = torch.randn(2, sum(pieces), 8), torch.rand(2, sum(pieces)) > 0.3
    for block in (MambaBlock(8, **SIZES), hybrid(causal=True)):
        state, outputs = None, []
        for piece, mask in zip(x.split(pieces, dim=1), valid.split(pieces, dim=1), strict=True):
            y, state = block.extend(piece, mask, state)
            outputs.append(y)
        torch.testing.assert_close(torch.cat(outputs, dim=1), block(x, valid), **AS_ROUNDED)


def test_a_block_that_looks_both_ways_says_that_it_cannot_stream():
    with pytest.raises(InputError, match="bidirectional=False"):
        MambaBlock(8, **SIZES, bidirectional=True).step(torch.randn(2, 8))


def test_steps_give_the_whole():
    x, valid = torch.randn(2, 25, 8), torch.rand(2, 25) > 0.3
    for block in (MambaBlock(8, **SIZES), hybrid(causal=True)):
        state, outputs = None, []
        for t in range(25):
            y, state = block.step(x[:, t], valid[:, t], state)
            outputs.append(y)
        torch.testing.assert_close(torch.stack(outputs, dim=1), block(x, valid), **AS_ROUNDED)


def test_partners_stream_too():
    params = sized(causal=True, n_heads=2, context_layers=2)
    fusion = PartnerGroupFusion(8, params, window=6).eval()
    target, partners, valid = torch.randn(2, 30, 8), torch.randn(2, 3, 30, 8), torch.rand(2, 3, 30) > 0.3
    seen = torch.rand(2, 30) > 0.3
    memory, outputs = {}, []
    for start, end in ((0, 1), (1, 12), (12, 13), (13, 30)):
        part = slice(start, end)
        outputs.append(fusion(target[:, part], seen[:, part], partners[:, :, part], valid[:, :, part], memory))
    torch.testing.assert_close(torch.cat(outputs, dim=1), fusion(target, seen, partners, valid), **AS_ROUNDED)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_one_partner_is_an_ordinary_sequence(bidirectional):
    block = PartnerMamba(8, **SIZES, bidirectional=bidirectional)
    ordinary = MambaBlock(8, **SIZES, bidirectional=bidirectional)
    ordinary.load_state_dict(block.state_dict())
    x, valid = torch.randn(2, 30, 8), torch.rand(2, 30) > 0.3
    torch.testing.assert_close(block(x[:, None], valid[:, None])[:, 0][valid], ordinary(x, valid)[valid], **AS_ROUNDED)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_partners_share_one_memory_without_order(bidirectional):
    block = PartnerMamba(8, **SIZES, bidirectional=bidirectional)
    x, valid = torch.randn(2, 3, 30, 8), torch.rand(2, 3, 30) > 0.3
    y = block(x, valid)
    torch.testing.assert_close(block(x[:, [2, 0, 1]], valid[:, [2, 0, 1]]), y[:, [2, 0, 1]], **AS_ROUNDED)
    other = x.clone()
    other[:, 2, 10] *= -1
    valid[:, 2, 10] = True
    assert (block(other, valid) - block(x, valid))[:, 0].abs().max() > 1e-5
    valid[:, 2] = False
    torch.testing.assert_close(block(x[:, :2], valid[:, :2]), block(x, valid)[:, :2], **AS_ROUNDED)


def test_chunk_attention_sees_the_valid_frames_of_its_own_chunk():
    attention = SelfAttention(8, 2, 5, causal=False)
    x, valid = torch.randn(1, 13, 8), torch.ones(1, 13, dtype=torch.bool)
    valid[0, 6] = False
    before = attention(x, valid)
    for frame, seen_by in ((0, range(0, 5)), (6, [6]), (7, range(5, 10)), (12, range(10, 13))):
        other = x.clone()
        other[:, frame] += 1
        changed = (attention(other, valid) - before).abs().amax(-1)[0] > 0
        assert changed.nonzero().flatten().tolist() == list(seen_by)


def test_causal_attention_sees_the_last_frames():
    attention = SelfAttention(8, 2, 5, causal=True)
    x, valid = torch.randn(1, 40, 8), torch.ones(1, 40, dtype=torch.bool)
    before = attention(x, valid)
    x[:, 13] += 1
    changed = (attention(x, valid) - before).abs().amax(-1)[0] > 0
    assert changed.nonzero().flatten().tolist() == list(range(13, 18))


def test_rotary_positions_are_relative_even_after_days():
    query, key = torch.randn(1, 1, 1, 8), torch.randn(1, 1, 1, 8)

    def product(start):
        return (rotate(query, torch.tensor([start])) * rotate(key, torch.tensor([start + 3]))).sum()

    torch.testing.assert_close(product(100 * 3600 * 24 * 7), product(0), rtol=1e-4, atol=1e-4)
