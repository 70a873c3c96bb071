"""Rows of the table that no network stands behind: boosted trees, one constant, the clock."""

import numpy as np
import pytest
import torch

from damamba.config import ModelParams
from damamba.console import InputError
from damamba.corpus.manifest import Participant
from damamba.extractors.elapsed import MOMENTS_S, Elapsed, ElapsedParams
from damamba.features.extractor import ExtractorInput
from damamba.model import build_model, load_model
from damamba.model.architectures.boosting import Boosting, BoostingParams
from damamba.model.base import chosen_cues
from damamba.model.heads import Classes
from damamba.model.running_means import PIECE, RunningMeans
from tests.model.test_da_mamba import WIDTHS
from tests.model.test_linear_reading import RATE_HZ, Windows

CUES = {"visual": WIDTHS}
SETTINGS = BoostingParams(trees=40, leaves=4, learning_rate=0.1, features=30, partner_fusion=True, causal=False)


@pytest.mark.parametrize("causal", [False, True])
def test_chosen_running_means_are_columns_of_all(causal):
    means = RunningMeans(WIDTHS, RATE_HZ, None, True, causal)
    length = PIECE + 10
    generator = torch.Generator().manual_seed(1)
    cues = {name: torch.randn(2, 3, length, width, generator=generator) for name, width in WIDTHS.items()}
    valid = {name: torch.rand(2, 3, length, generator=generator) > 0.3 for name in WIDTHS}
    present = torch.tensor([[True, True, True], [True, True, False]])
    whole = means.features(cues, valid, present, torch.arange(length))
    assert whole.shape[-1] == means.n_features
    some = torch.arange(0, means.n_features, 7)
    torch.testing.assert_close(means.chosen(cues, valid, present, some), whole[..., some], rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def grown():
    model = Boosting(CUES, SETTINGS, RATE_HZ)
    return model, model.begin(Windows())


def test_trees_follow_the_target_and_the_partner_and_survive_the_disk(grown, tmp_path):
    model, log = grown
    assert log.startswith("boosted trees: r 0.")
    batch = Windows().batches[4]
    predicted = model(batch.cues, batch.valid, batch.present).engagement
    assert np.corrcoef(predicted[0, 25:-25], batch.label[0, 25:-25])[0, 1] > 0.7
    model.save(tmp_path)
    loaded = load_model(tmp_path)
    torch.testing.assert_close(loaded(batch.cues, batch.valid, batch.present).engagement, predicted, rtol=0, atol=0)


def test_the_sum_of_the_trees_is_that_of_scikit_learn(grown):
    from sklearn.ensemble import HistGradientBoostingRegressor

    model, log = grown
    x, y, _ = model.means.rows(Windows())
    x = x[:, model.features]
    trees = int(log.partition("(")[2].split()[0])
    theirs = HistGradientBoostingRegressor(
        learning_rate=0.1, max_iter=trees, max_leaf_nodes=4, early_stopping=False, random_state=0
    ).fit(x.numpy(), y.double().numpy())
    ours = model._sum(x[None], 0)[0]
    expected = theirs.predict(x.numpy())
    slope = np.polyfit(expected - y.double().mean().numpy(), ours.numpy() - float(model.begins[0]), 1)
    assert slope[0] >= 1.0
    np.testing.assert_allclose(
        ours, float(model.begins[0]) + slope[0] * (expected - y.double().mean().numpy()), atol=1e-5
    )


def test_trees_of_classes_are_probabilities():
    class Halves(Windows):
        def __iter__(self):
            return (batch._replace(label=(batch.label > 0.5).float()) for batch in self.batches)

    model = Boosting(CUES, SETTINGS, RATE_HZ, None, Classes.alike("categorical", ("low", "high")))
    model.begin(Halves())
    batch = Halves().batches[0]
    read = model(batch.cues, batch.valid, batch.present).engagement
    torch.testing.assert_close(read.sum(-1), torch.ones(1, 200))
    right = (read.argmax(-1) == (batch.label > 0.5)).float().mean()
    assert right > 0.75


def test_one_fold_is_refused():
    one = Windows(count=3)
    one.batches = [batch._replace(fold=torch.tensor([0])) for batch in one.batches]
    with pytest.raises(InputError, match="shorter than two windows"):
        Boosting(CUES, SETTINGS, RATE_HZ).begin(one)


def test_a_constant_is_the_mean_or_the_shares():
    params = ModelParams.model_validate({"architecture": "constant", "cues": None, "weights": {}, "settings": {}})
    batch = Windows().batches[0]
    mean = build_model(CUES, params, RATE_HZ, None, 0.3)
    assert not mean.causal  # it is trained on shards of any grid, and causal models are not
    torch.testing.assert_close(mean(batch.cues, batch.valid, batch.present).engagement, torch.full((1, 200), 0.3))
    classes = build_model(CUES, params, RATE_HZ, None, Classes("categorical", ("a", "b", "c"), (0.2, 0.5, 0.3)))
    shares = classes(batch.cues, batch.valid, batch.present).engagement
    assert shares.shape == (1, 200, 3)
    assert (shares.argmax(-1) == 1).all()


def test_cues_for_reference_are_for_models_that_name_them():
    cues = {"visual": {"clip": 4}, "reference": {"elapsed": 8}}
    assert chosen_cues(cues, None) == {"visual": {"clip": 4}}
    assert chosen_cues(cues, ("elapsed",)) == {"reference": {"elapsed": 8}}


def test_the_clock_has_bends_at_its_moments_up_to_the_end():
    participant = Participant("own", "s", "p", "p", "train", "en", "p", "", "", "", duration_s=75.5)
    stream = Elapsed(ElapsedParams()).extract(ExtractorInput(participant))
    assert stream.t_s[-1] == 75.5
    np.testing.assert_allclose(stream.x.sum(1), 1, rtol=1e-6)
    np.testing.assert_allclose(stream.x @ np.array(MOMENTS_S), stream.t_s, rtol=1e-6)
