"""What holds for every model, length and group: causality, masks, seats, absent partners.

Each check is also put to models in which the fault is planted that it is there to find.
"""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from damamba.model import attention, mamba
from damamba.model.base import Standardise
from damamba.model.fusion import CueStem, PartnerGroupFusion
from tests.model.test_da_mamba import AS_ROUNDED, VARIANTS, batch, make, take

CAUSAL = [name for name, change in VARIANTS.items() if change.get("causal")]
SEEDS = st.integers(0, 2**16)


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.no_grad():
        yield


def case(variant, length, participants, seed):
    """(model, inputs), with a third of the frames missing."""
    torch.manual_seed(seed)
    return make(**VARIANTS[variant]), batch(length, participants)


def future_is_not_seen(model, inputs, cut):
    """Nor by the vectors that are aligned, where the model has them."""
    before = model(*inputs)
    for cue in inputs[0].values():
        cue[:, :, cut:] += 1
    for mask in inputs[1].values():
        mask[:, :, cut:] ^= True
    for ours, expected in zip(model(*inputs).tensors(), before.tensors(), strict=True):
        torch.testing.assert_close(ours[:, :cut], expected[:, :cut], **AS_ROUNDED)


def missing_values_are_irrelevant(model, inputs):
    cues, valid, present = inputs
    present[0, -1] = False
    broken = {
        name: torch.where((valid[name] & present[..., None])[..., None], cue, torch.nan) for name, cue in cues.items()
    }
    assert torch.equal(model(broken, valid, present).engagement, model(*inputs).engagement)


def absent_partners_change_nothing(model, inputs, there):
    """Seats from `there` on are empty, whatever is written there."""
    inputs[2][:, there:] = False
    fewer = take(inputs, seats=slice(0, there))
    torch.testing.assert_close(model(*inputs).engagement, model(*fewer).engagement, **AS_ROUNDED)


def seats_of_partners_can_be_swapped(model, inputs, order):
    swapped = take(inputs, seats=[0, *order])
    torch.testing.assert_close(model(*swapped).engagement, model(*inputs).engagement, **AS_ROUNDED)


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(CAUSAL), st.integers(2, 90), st.integers(1, 4), st.floats(0, 0.99), SEEDS)
def test_causal_models_do_not_see_the_future(variant, length, participants, place, seed):
    future_is_not_seen(*case(variant, length, participants, seed), max(1, int(place * length)))


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(VARIANTS)), st.integers(1, 90), st.integers(1, 4), SEEDS)
def test_values_of_missing_frames_are_irrelevant(variant, length, participants, seed):
    missing_values_are_irrelevant(*case(variant, length, participants, seed))


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(VARIANTS)), st.integers(1, 90), st.integers(1, 5), st.integers(1, 5), SEEDS)
def test_absent_partners_change_nothing(variant, length, participants, there, seed):
    absent_partners_change_nothing(*case(variant, length, participants, seed), min(there, participants))


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(VARIANTS)), st.integers(1, 90), st.permutations([1, 2, 3]), SEEDS)
def test_seats_of_partners_can_be_swapped(variant, length, order, seed):
    seats_of_partners_can_be_swapped(*case(variant, length, 4, seed), order)


def a_frame_of_the_future_is_attended_to(patch):
    """Keys and masks one frame too new."""
    true = attention.band_attention

    def late(query, key, value, valid, past, future):
        key, value, valid = (series.roll(-1, 2) for series in (key, value, valid))
        return true(query, key, value, valid, past, future)

    patch.setattr(attention, "band_attention", late)


def the_convolution_looks_ahead(patch):
    true = mamba.causal_conv
    patch.setattr(mamba, "causal_conv", lambda x, *args, **options: true(x.roll(-1, 1), *args, **options))


def missing_values_enter(patch):
    patch.setattr(Standardise, "forward", lambda self, cue, valid: (cue - self.mean) / self.std)


def missing_values_enter_the_stem(patch):
    patch.setattr(CueStem, "forward", lambda self, cue, valid, memory: self.layer(self.project(cue), valid, memory))


def absent_partners_answer(patch):
    """Everybody is a key."""
    true = attention.attend
    patch.setattr(attention, "attend", lambda q, k, v, visible: true(q, k, v, torch.ones_like(visible)))


def absent_partners_share_the_memory(patch):
    true = mamba.PartnerMamba._run
    patch.setattr(
        mamba.PartnerMamba, "_run", lambda self, x, valid, *rest: true(self, x, torch.ones_like(valid), *rest)
    )


def seats_are_marked(patch):
    true = PartnerGroupFusion.forward

    def marked(self, target, observed, partners, *rest):
        seats = torch.arange(partners.shape[1])[:, None, None] * torch.linspace(-1, 1, partners.shape[-1])
        return true(self, target, observed, partners + seats, *rest)

    patch.setattr(PartnerGroupFusion, "forward", marked)


def the_first_partner_speaks_for_all(patch):
    patch.setattr(attention.AttentionState, "append", _first_partner_only(attention.AttentionState.append))


def _first_partner_only(append):
    return lambda state, key, value, valid: append(
        state, *(series[:, :1].expand_as(series) for series in (key, value)), valid
    )


@pytest.mark.parametrize(
    ("check", "fault", "variant", "detail"),
    [
        (future_is_not_seen, a_frame_of_the_future_is_attended_to, "causal", [40]),
        (future_is_not_seen, the_convolution_looks_ahead, "causal", [40]),
        (missing_values_are_irrelevant, missing_values_enter_the_stem, "da_mamba", []),
        (missing_values_are_irrelevant, missing_values_enter, "dat", []),
        (absent_partners_change_nothing, absent_partners_answer, "da_mamba", [2]),
        (absent_partners_change_nothing, absent_partners_share_the_memory, "da_mamba", [2]),
        (seats_of_partners_can_be_swapped, seats_are_marked, "da_mamba", [[2, 3, 1]]),
        (seats_of_partners_can_be_swapped, the_first_partner_speaks_for_all, "da_mamba", [[2, 3, 1]]),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_planted_fault_is_found(monkeypatch, check, fault, variant, detail):
    model, inputs = case(variant, 80, 4, 0)
    check(*case(variant, 80, 4, 0), *detail)
    fault(monkeypatch)
    with pytest.raises(AssertionError):
        check(model, inputs, *detail)
