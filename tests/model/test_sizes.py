"""The presets `paper` and `paper-25` have the number of parameters that the paper states."""

import pytest
import torch

from damamba.model import DAMamba
from damamba.presets.apply import read_preset

UPSTREAM = {"audio": {"wav2vec2": 768, "emotion": 1024}, "visual": {"clip": 512, "flow": 76, "landmark_flow": 100}}


@pytest.mark.parametrize("preset", ["paper", "paper-25"])
def test_paper_presets_have_28_7_million_parameters(preset):
    values = read_preset(preset)
    settings = DAMamba.Params.model_validate(values["architectures"]["da_mamba"])
    with torch.device("meta"):
        model = DAMamba(UPSTREAM, settings, values["window"]["rate_hz"])
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(28.7e6, rel=0.01)
