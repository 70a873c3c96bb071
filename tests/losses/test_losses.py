import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from damamba.console import InputError
from damamba.losses import Prediction, make_losses, total_loss
from damamba.losses.align import align_loss
from damamba.losses.ccc import ccc_loss
from tests.conftest import frozen_params


def lin_1989(pred, target):
    """The definition, by numpy's covariance matrix."""
    (var_pred, covariance), (_, var_target) = np.cov(pred, target, ddof=0)
    return 2 * covariance / (var_pred + var_target + (np.mean(pred) - np.mean(target)) ** 2)


@given(st.integers(0, 2**32 - 1), st.integers(2, 400))
def test_ccc_loss_is_one_less_the_ccc_of_the_valid_frames(seed, frames):
    random = np.random.default_rng(seed)
    pred, target = random.random((2, frames))
    valid = random.random(frames) > 0.3
    valid[:2] = True
    with_holes = np.where(valid, target, np.nan)
    loss = ccc_loss(*(torch.tensor(series, dtype=torch.float32) for series in (pred, with_holes)), torch.tensor(valid))
    assert loss.item() == pytest.approx(1 - lin_1989(pred[valid], target[valid]), abs=1e-5)


def test_ccc_loss_pools_windows_instead_of_averaging_them():
    pred = torch.tensor([[0.2, 0.2], [0.8, 0.8]])
    assert ccc_loss(pred, pred.clone(), torch.ones(2, 2, dtype=torch.bool)).item() == pytest.approx(0, abs=1e-6)


def test_ccc_loss_keeps_its_digits_in_float32():
    random = np.random.default_rng(0)
    target = 0.7 + 1e-3 * random.standard_normal(100_000)
    pred = target + 1e-3 * random.standard_normal(100_000)
    loss = ccc_loss(*(torch.tensor(series, dtype=torch.float32) for series in (pred, target)), torch.ones(100_000) > 0)
    assert loss.item() == pytest.approx(1 - lin_1989(pred, target), abs=1e-2)


@pytest.mark.parametrize("valid", [torch.zeros(4, dtype=torch.bool), torch.tensor([True, False, False, False])])
def test_ccc_loss_without_information_has_no_gradient_to_break_training(valid):
    pred = torch.full((4,), 0.4, requires_grad=True)
    loss = ccc_loss(pred, torch.full((4,), 0.4), valid)
    loss.backward()
    assert loss.item() == pytest.approx(1)
    assert torch.isfinite(pred.grad).all()


def unit(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(*shape, generator=generator), dim=-1)


def align(audio, visual, valid, frames=512, exclusion=3, seed=0, seat=None, start=None):
    """`align_loss`; windows are of different participants unless `seat` says otherwise."""
    return align_loss(
        audio,
        visual,
        valid,
        seat=torch.arange(len(valid)) if seat is None else torch.tensor(seat),
        start=torch.zeros(len(valid)) if start is None else torch.tensor(start, dtype=torch.float32),
        temperature=0.1,
        frames=frames,
        exclusion_frames=exclusion,
        generator=torch.Generator().manual_seed(seed),
    )


def test_align_loss_is_the_definition():
    audio, visual, valid = unit(2, 5, 4), unit(2, 5, 4, seed=1), torch.ones(2, 5, dtype=torch.bool)
    valid[1, 2] = False
    where = [(b, t) for b in range(2) for t in range(5) if valid[b, t]]
    rows = []
    for first, second in ((audio, visual), (visual, audio)):
        for b, t in where:
            others = [(c, s) for c, s in where if (c, s) == (b, t) or c != b or abs(s - t) >= 3]
            logits = torch.stack([first[b, t] @ second[c, s] / 0.1 for c, s in others])
            rows.append(
                torch.logsumexp(logits, 0) - first[b, t] @ visual[b, t] / 0.1
                if first is audio
                else torch.logsumexp(logits, 0) - first[b, t] @ audio[b, t] / 0.1
            )
    assert align(audio, visual, valid).item() == pytest.approx(torch.stack(rows).mean().item(), rel=1e-5)


@pytest.mark.parametrize("exclusion", [0, 3])
def test_the_same_instant_of_a_participant_is_no_negative_in_another_window(exclusion):
    """Three windows of five frames: two of one participant that overlap, and the same times of the partner."""
    seat, start = [7, 7, 2], [-1.0, 1.0, 1.0]
    audio, visual, valid = unit(3, 5, 4), unit(3, 5, 4, seed=1), torch.ones(3, 5, dtype=torch.bool)
    where = [(b, t) for b in range(3) for t in range(5)]

    def counts(b, t, c, s):
        apart = abs((start[b] + t) - (start[c] + s))
        return (b, t) == (c, s) or seat[b] != seat[c] or apart >= max(exclusion, 1)

    rows = []
    for first, second in ((audio, visual), (visual, audio)):
        for b, t in where:
            logits = torch.stack([first[b, t] @ second[c, s] / 0.1 for c, s in where if counts(b, t, c, s)])
            rows.append(torch.logsumexp(logits, 0) - first[b, t] @ second[b, t] / 0.1)
    ours = align(audio, visual, valid, exclusion=exclusion, seat=seat, start=start)
    assert ours.item() == pytest.approx(torch.stack(rows).mean().item(), rel=1e-5)


def test_windows_that_start_between_frames_overlap_by_time():
    """Two windows of one frame: 0.8 frames apart they share an instant, a whole frame apart they do not."""
    audio, valid = unit(2, 1, 8), torch.ones(2, 1, dtype=torch.bool)
    assert align(audio, audio, valid, exclusion=0, seat=[0, 0], start=[3.2, 4.0]).item() == 0
    assert align(audio, audio, valid, exclusion=0, seat=[0, 0], start=[3.2, 4.2]).item() > 0


def test_align_loss_prefers_aligned_frames():
    audio, valid = unit(4, 32, 16), torch.ones(4, 32, dtype=torch.bool)
    assert align(audio, audio, valid) < 0.1 < align(audio, audio.roll(7, dims=1), valid)


def test_neighbouring_frames_are_no_negatives():
    # All frames of a window look the same: only other windows can be told apart, and they are.
    audio = unit(2, 1, 64).expand(2, 3, 64)
    valid = torch.ones(2, 3, dtype=torch.bool)
    assert align(audio, audio, valid, exclusion=3) < 1e-2 < align(audio, audio, valid, exclusion=0)


def test_align_loss_is_not_touched_by_invalid_frames():
    audio, visual, valid = unit(2, 8, 4), unit(2, 8, 4, seed=1), torch.rand(2, 8) > 0.4
    broken = torch.where(valid[..., None], audio, torch.nan)
    torch.testing.assert_close(align(broken, visual, valid), align(audio, visual, valid))


def test_align_loss_looks_at_no_more_frames_than_asked():
    audio = unit(3, 50, 8).requires_grad_()
    align(audio, unit(3, 50, 8, seed=1), torch.ones(3, 50, dtype=torch.bool), frames=20, exclusion=0).backward()
    assert int((audio.grad.abs().sum(-1) > 0).sum()) == 20


@pytest.mark.parametrize("count", [0, 1])
def test_align_loss_of_too_few_frames_is_zero(count):
    audio, valid = unit(1, 4, 8).requires_grad_(), torch.zeros(1, 4, dtype=torch.bool)
    valid[0, :count] = True
    loss = align(audio, unit(1, 4, 8, seed=1), valid)
    loss.backward()
    assert loss.item() == 0


def prediction(aligned, observed, seed=0):
    frames = next(iter(observed.values())).shape
    score, valid = torch.rand(*frames, generator=torch.Generator().manual_seed(9)), torch.ones(frames, dtype=torch.bool)
    generator = torch.Generator().manual_seed(seed)
    seat, start = torch.arange(len(score)), torch.zeros(len(score))
    return Prediction(score, score.roll(1, dims=1), valid, aligned, observed, seat, start, generator)


def test_three_groups_are_aligned_pair_by_pair_each_where_both_were_observed():
    losses = make_losses(frozen_params().losses, rate_hz=3)
    aligned = {group: unit(2, 20, 8, seed=k) for k, group in enumerate(("audio", "visual", "text"))}
    observed = {group: torch.rand(2, 20) > 0.3 for group in aligned}
    ours = losses["align"](prediction(aligned, observed))
    generator = torch.Generator().manual_seed(0)
    pairs = [("audio", "visual"), ("audio", "text"), ("visual", "text")]
    expected = [
        align_loss(
            aligned[a],
            aligned[b],
            observed[a] & observed[b],
            seat=torch.arange(2),
            start=torch.zeros(2),
            temperature=0.1,
            frames=512,
            exclusion_frames=3,
            generator=generator,
        )
        for a, b in pairs
    ]
    assert ours.item() == pytest.approx(sum(term.item() for term in expected) / 3, rel=1e-6)


@pytest.mark.parametrize("groups", [[], ["audio"]])
def test_a_model_that_aligns_fewer_than_two_groups_has_no_alignment_loss(groups):
    losses = make_losses(frozen_params().losses, rate_hz=25)
    seen = torch.ones(1, 6, dtype=torch.bool)
    given = prediction({group: unit(1, 6, 4) for group in groups}, {"audio": seen})
    assert losses["align"](given) is None
    total = total_loss(given, losses, {"ccc": 1.0, "align": 0.4})
    assert total.curves["align"] is None
    assert total.total.item() == losses["ccc"](given).item()


def test_the_total_is_the_weighted_sum_and_a_term_without_weight_is_not_computed():
    losses = make_losses(frozen_params().losses, rate_hz=3)
    seen = torch.ones(2, 20, dtype=torch.bool)
    aligned = {"audio": unit(2, 20, 8), "visual": unit(2, 20, 8, seed=1)}
    ccc, align_term = (losses[name](prediction(aligned, dict.fromkeys(aligned, seen))) for name in ("ccc", "align"))
    total = total_loss(prediction(aligned, dict.fromkeys(aligned, seen)), losses, {"ccc": 2.0, "align": 0.5})
    assert total.total.item() == pytest.approx((2 * ccc + 0.5 * align_term).item(), rel=1e-6)
    alone = total_loss(prediction(aligned, dict.fromkeys(aligned, seen)), losses, {"ccc": 2.0, "align": 0.0})
    assert alone.total.item() == pytest.approx(2 * ccc.item(), rel=1e-6)
    assert alone.curves == {"ccc": pytest.approx(1 - ccc.item()), "align": None}


def test_a_model_to_which_no_weighted_loss_applies_is_refused():
    losses = make_losses(frozen_params().losses, rate_hz=25)
    given = prediction({"audio": unit(1, 6, 4)}, {"audio": torch.ones(1, 6, dtype=torch.bool)})
    with pytest.raises(InputError, match=r"no loss applies to this model \(lambda_ccc 0, lambda_align 1\)"):
        total_loss(given, losses, {"ccc": 0.0, "align": 1.0})
