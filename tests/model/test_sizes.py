"""The presets `paper` and `paper-25` have the number of parameters that the paper states."""

from pathlib import Path

import pytest
import torch
import yaml

import damamba
from damamba.model import DAMamba
from tests.conftest import frozen_params

UPSTREAM = {"audio": {"wav2vec2": 768, "emotion": 1024}, "visual": {"clip": 512, "flow": 76, "landmark_flow": 100}}


@pytest.mark.parametrize("preset", ["paper", "paper-25"])
def test_paper_presets_have_28_7_million_parameters(preset):
    overlay = yaml.safe_load((Path(damamba.__file__).parent / "presets" / f"{preset}.yaml").read_text())
    settings = frozen_params().architectures["da_mamba"] | overlay["architectures"]["da_mamba"]
    with torch.device("meta"):
        model = DAMamba(UPSTREAM, DAMamba.Params.model_validate(settings), overlay["window"]["rate_hz"])
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(28.7e6, rel=0.01)
