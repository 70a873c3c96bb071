"""Parameters and saved models name their architecture; a model goes where it is told."""

import pytest
import torch

from damamba import plugins
from damamba.config import ARCHITECTURES
from damamba.model import DAMamba, EngagementModel, load_model
from tests.model.test_da_mamba import make


@pytest.mark.parametrize("name", plugins.names(ARCHITECTURES))
def test_parameters_and_saved_models_decide_what_is_built(tmp_path, name):
    model = make(architecture=name)
    model.save(tmp_path)
    assert type(model) is type(load_model(tmp_path)) is plugins.find(ARCHITECTURES, name, EngagementModel)


def test_a_model_is_loaded_onto_the_device_that_is_asked_for(tmp_path):
    make().save(tmp_path)
    assert {p.device.type for p in DAMamba.load(tmp_path).parameters()} == {"cpu"}
    on_device = [load_model(tmp_path, "meta"), DAMamba.load(tmp_path, torch.device("meta"))]
    assert {t.device.type for model in on_device for t in model.state_dict().values()} == {"meta"}
