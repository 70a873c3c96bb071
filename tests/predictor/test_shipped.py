"""The models that come with the package fit the encoders that come with it."""

import re

import pytest

from damamba.inference import load_trained
from damamba.predictor import SHIPPED, SHIPPED_CAUSAL
from damamba.predictor.inputs import ModelInputs


@pytest.fixture(params=[SHIPPED, SHIPPED_CAUSAL], ids=["offline", "causal"])
def shipped(request):
    return request.param


def test_a_shipped_model_has_the_encoders_of_the_package(shipped):
    inputs = ModelInputs.of(shipped)  # refuses other weights of an encoder
    model, grid = load_trained(shipped)
    assert model.causal == (shipped == SHIPPED_CAUSAL)
    assert set(model.widths) == set(inputs.cues) == set(inputs.sources)
    assert {name: source.width for name, source in inputs.sources.items()} == model.widths
    assert grid.rate_hz == model.rate_hz


def test_its_card_says_what_it_was_trained_on_and_what_it_is_not_for(shipped):
    card = (shipped / "README.md").read_text()
    for wanted in ("Trained on simulated people", "Not meant for", "Licence", "Limits"):
        assert wanted in card
    assert re.search(r"CCC 0\.\d{3} \[0\.\d{3}, 0\.\d{3}\], CCC within people 0\.\d{3}", card)
