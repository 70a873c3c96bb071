"""The closed form against scikit-learn and loops; mixed with a network; streams; masks."""

import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge as SklearnRidge

from damamba.console import InputError
from damamba.model.base import Example
from damamba.model.linear_reading import LinearReading, fit_ridge
from damamba.model.running_means import PIECE, running_sums
from tests.model.test_da_mamba import AS_ROUNDED, WIDTHS, batch, make, take

RATE_HZ = 25


class Windows:
    """Training windows whose label follows a smoothed channel of the target and a later one of the partner."""

    def __init__(self, count=30, length=200, fold_with_other_sign=None):
        generator = torch.Generator().manual_seed(0)
        self.labelled_frames, self.folds = count * length, 3
        self.batches = []
        for i in range(count):
            cues = {name: torch.randn(1, 2, length, width, generator=generator) for name, width in WIDTHS.items()}
            valid = {name: torch.rand(1, 2, length, generator=generator) > 0.1 for name in WIDTHS}
            turned = -1.0 if fold_with_other_sign == i % 3 else 1.0
            own = cues["clip"][:, 0, :, 0] * valid["clip"][:, 0]
            other = cues["flow"][:, 1, :, 0] * valid["flow"][:, 1]
            keep = torch.tensor([math.exp(-1 / RATE_HZ), math.exp(-4 / RATE_HZ)])
            slow, fast = running_sums(torch.stack((own, other))[..., None].expand(2, 1, length, 2), keep, None)[
                0
            ].unbind(-1)
            late = slow[1] - fast[1]  # 0 at once, largest after half a second
            label = torch.sigmoid(turned * (fast[0] + late) / 4)
            fold = torch.tensor([i % 3])
            self.batches.append(
                Example(cues, valid, torch.ones(1, 2, dtype=torch.bool), label, torch.ones(1, length).bool(), fold)
            )

    def of_label(self, name):
        raise AssertionError("there is one label")

    def __iter__(self):
        return iter(self.batches)


@pytest.fixture(scope="module")
def fitted():
    reading = LinearReading(WIDTHS, RATE_HZ, None, partners=True, causal=False)
    return reading, reading.fit(Windows())


@pytest.mark.parametrize("shape", [(300, 20), (60, 200)])
def test_both_forms_are_the_ridge_of_scikit_learn(shape):
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.standard_normal(shape)).float()
    y = torch.from_numpy(rng.standard_normal(shape[0])).float() + x[:, 0]
    fold = torch.arange(shape[0]) % 4
    found = fit_ridge(x, y, fold, 4)
    alpha = found.penalty * float(x.square().sum(1).mean())
    model, left_out, centred = SklearnRidge(alpha, fit_intercept=False), np.zeros(shape[0]), (y - y.mean()).double()
    model.fit(x.double(), centred)
    np.testing.assert_allclose(found.weights, found.gain * model.coef_, rtol=2e-3, atol=2e-4)
    for k in range(4):
        left_out[fold == k] = model.fit(x[fold != k].double(), centred[fold != k]).predict(x[fold == k].double())
    assert found.correlation == pytest.approx(np.corrcoef(left_out, y)[0, 1], abs=1e-3)


def test_it_is_chosen_by_sessions_that_were_left_out(fitted):
    _, found = fitted
    assert found.correlation > 0.5
    noise = Windows()
    generator = torch.Generator().manual_seed(1)
    noise.batches = [b._replace(label=torch.rand(b.label.shape, generator=generator)) for b in noise.batches]
    nothing = LinearReading(WIDTHS, RATE_HZ, None, partners=True, causal=False).fit(noise)
    assert abs(nothing.correlation) < 0.15


@pytest.mark.parametrize("causal", [False, True])
def test_smoothing_after_the_projection_is_the_product_with_running_means(causal):
    reading = LinearReading(WIDTHS, RATE_HZ, None, partners=True, causal=causal)
    for weight in reading.weights.values():
        weight.data.normal_()
    cues, valid, present = batch(PIECE + 70)
    cues = {name: torch.where(valid[name][..., None], x, torch.nan) for name, x in cues.items()}
    frames = torch.tensor([0, 3, 200, PIECE + 69])
    columns = reading.features(cues, valid, present, frames)
    weights = torch.cat([reading.weights[name].flatten() for name in WIDTHS])
    torch.testing.assert_close(
        columns @ weights + reading.mean, reading(cues, valid, present)[:, frames], rtol=1e-4, atol=1e-4
    )


def test_a_partner_counts_and_an_absent_one_does_not(fitted):
    reading, _ = fitted
    cues, valid, present = batch(60)
    dyad = reading(*take((cues, valid, present), seats=slice(0, 2)))
    present[:, 2] = False
    assert torch.equal(reading(cues, valid, present), dyad)
    present[:, 1] = False
    by_itself = reading(*take((cues, valid, present), seats=slice(0, 1)))
    torch.testing.assert_close(reading(cues, valid, present), by_itself, **AS_ROUNDED)
    assert not torch.allclose(dyad, by_itself, atol=1e-3)


def test_a_long_gap_leads_back_to_the_training_mean_and_one_row_says_little(fitted):
    """Weights that are fitted to means of many rows must not be applied to the last row before a gap."""
    reading, _ = fitted
    cues, valid, present = batch(600)
    gap = slice(40, 590)
    hidden = {name: v.clone() for name, v in valid.items()}
    for mask in hidden.values():
        mask[:, :, gap] = False
    there = reading(cues, valid, present)
    lost = reading(cues, hidden, present)
    middle = lost[:, 300]
    torch.testing.assert_close(middle, reading.mean.expand(2), atol=0.02, rtol=0)
    assert lost[:, gap].sub(reading.mean).abs().max() < there.sub(reading.mean).abs().max()


def test_a_burst_counts_no_more_than_three_standard_deviations(fitted):
    reading, _ = fitted
    cues, valid, present = batch(60)
    burst = {name: x.clone() for name, x in cues.items()}
    burst["clip"][:, :, 30] = 1e4
    three = {name: x.clone() for name, x in cues.items()}
    three["clip"][:, :, 30] = 3.0
    torch.testing.assert_close(reading(burst, valid, present), reading(three, valid, present))


def test_running_sums_are_the_recurrence_over_pieces_and_from_a_state():
    x, keep = torch.randn(2, 3, 2 * PIECE + 5, 3), torch.tensor([0.5, 0.9, 0.99])
    state, expected = torch.randn(2, 3, 3), []
    y = state
    for t in range(x.shape[2]):
        y = keep * y + x[:, :, t]
        expected.append(y)
    sums, last = running_sums(x, keep, state)
    torch.testing.assert_close(sums, torch.stack(expected, dim=2), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(last, expected[-1], rtol=1e-4, atol=1e-4)


def test_a_fold_without_rows_changes_nothing():
    x, y = torch.randn(60, 5), torch.randn(60)
    torch.testing.assert_close(
        fit_ridge(x, y, torch.arange(60) % 3, 5).weights, fit_ridge(x, y, torch.arange(60) % 3, 3).weights
    )


def test_one_fold_cannot_be_cross_validated():
    with pytest.raises(InputError, match="shorter than two windows"):
        fit_ridge(torch.randn(10, 3), torch.randn(10), torch.zeros(10, dtype=torch.long), 5)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_prediction_mixes_network_and_floor_and_streams(share):
    model = make(causal=True, floor="ridge", dropout=0.0)
    model.begin(Windows())
    model.share.data.fill_(share)
    inputs = batch(90)
    whole = model.eval()(*inputs).engagement
    network, floor = model.train()(*inputs).engagement, model.floor(*inputs).clamp(0, 1)
    torch.testing.assert_close(whole, (1 - share) * floor + share * network, rtol=0, atol=1e-5)
    memory, parts = model.eval().stream(), []
    for first, stop in ((0, 1), (1, 40), (40, 90)):
        part, memory = model.extend(*take(inputs, frames=slice(first, stop)), memory)
        parts.append(part)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=0, atol=2e-5)
