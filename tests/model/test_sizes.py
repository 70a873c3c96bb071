"""The presets `paper` and `paper-25` have the number of parameters that the paper states."""

from pathlib import Path

import pytest
import torch
import yaml

import damamba
from damamba.config import Params
from damamba.model import DAMamba

UPSTREAM = {"audio": {"wav2vec2": 768, "emotion": 1024}, "visual": {"clip": 512, "flow": 76, "landmark_flow": 100}}


@pytest.mark.parametrize("preset", ["paper", "paper-25"])
def test_paper_presets_have_28_7_million_parameters(preset):
    overlay = yaml.safe_load((Path(damamba.__file__).parent / "presets" / f"{preset}.yaml").read_text())
    params = Params.load()
    model = params.model.model_validate({**params.model.model_dump(), **overlay["model"]})
    with torch.device("meta"):
        count = sum(p.numel() for p in DAMamba(UPSTREAM, model, overlay["window"]["rate_hz"]).parameters())
    assert count == pytest.approx(28.7e6, rel=0.01)
