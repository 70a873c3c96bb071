"""A stream of any pieces is the offline pass of a causal model."""

import pytest
import torch

from damamba.console import InputError
from tests.model.test_da_mamba import batch, make, take


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.inference_mode():
        yield


def streamed(model, inputs, pieces):
    state, outputs, start = model.stream(), [], 0
    for length in pieces:
        y, state = model.extend(*take(inputs, frames=slice(start, start + length)), state)
        outputs.append(y)
        start += length
    return torch.cat(outputs, dim=1)


def test_two_thousand_frames_in_pieces_are_the_whole():
    model, inputs = make(causal=True, context_layers=2), batch(2000, participants=3)
    inputs[2][1, -1] = False  # somebody is not there
    pieces = [1] * 25 + [7, 64, 3, 500, 1, 1] + [1] * 19 + [1380]
    assert sum(pieces) == 2000
    torch.testing.assert_close(streamed(model, inputs, pieces), model(*inputs).engagement, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("participants", "change"), [(1, {}), (2, {"partner_fusion": False}), (2, {"modality_fusion": False})]
)
def test_variants_stream_too(participants, change):
    model, inputs = make(causal=True, **change), batch(60, participants)
    expected = model(*inputs).engagement
    torch.testing.assert_close(streamed(model, inputs, [1, 1, 20, 1, 37]), expected, rtol=0, atol=1e-5)


def test_steps_are_the_whole():
    model, (cues, valid, present) = make(causal=True), batch(12)
    state, outputs = model.stream(), []
    for t in range(12):
        y, state = model.step(
            {name: cue[:, :, t] for name, cue in cues.items()},
            {name: mask[:, :, t] for name, mask in valid.items()},
            present,
            state,
        )
        outputs.append(y)
    whole = model(cues, valid, present).engagement
    torch.testing.assert_close(torch.stack(outputs, dim=1), whole, rtol=0, atol=1e-5)


def test_a_state_can_be_continued_twice():
    model, inputs = make(causal=True), batch(30)
    _, state = model.extend(*take(inputs, frames=slice(0, 20)), model.stream())
    rest = take(inputs, frames=slice(20, 30))
    first, _ = model.extend(*rest, state)
    again, _ = model.extend(*rest, state)
    assert torch.equal(first, again)


def test_what_a_stream_remembers_does_not_grow():
    model, inputs = make(causal=True), batch(60)

    def size(frames):
        _, state = model.extend(*take(inputs, frames=slice(0, frames)), model.stream())
        return sum(part.numel() for held in state.values() for part in held if isinstance(part, torch.Tensor))

    assert size(1) == size(60) > 0


def test_what_a_stream_remembers_holds_no_earlier_frames():
    """A view would keep the whole piece that it was cut from."""
    _, state = make(causal=True).extend(*batch(60), make(causal=True).stream())
    for held in state.values():
        for part in held:
            if isinstance(part, torch.Tensor):
                assert part.untyped_storage().nbytes() == part.numel() * part.element_size()


@pytest.mark.parametrize("change", [{"causal": False}, {"causal": True, "block": "transformer"}])
def test_models_that_need_the_future_or_all_the_past_cannot_stream(change):
    with pytest.raises(InputError, match=r"causal: true and block: hybrid under architectures\.da_mamba"):
        make(**change).stream()
