"""Every backend agrees with the float64 loop in outputs, final state and all gradients."""

import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from damamba.console import InputError
from damamba.scan import chunked, cuda, dispatch, ssd_extend, ssd_scan, ssd_step

BATCH, HEADS, HEADDIM, D_STATE = 2, 4, 3, 5
LONG_CHUNK = 95  # frames: rounded up to an even number and cut in two


def inputs(length, groups=1, initial=False, masked=True, dtype=torch.float64, seed=0):
    """Tensors like those of a Mamba-2 layer; with `masked`, a third of the frames is missing (dt = 0)."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    dt = 0.1 * torch.rand(BATCH, length, HEADS, generator=generator, dtype=torch.float64)
    if masked:
        dt = dt * (torch.rand(BATCH, length, 1, generator=generator) > 0.3)
    tensors = {
        "x": normal(BATCH, length, HEADS, HEADDIM),
        "dt": dt,
        "A": -1 - 15 * torch.rand(HEADS, generator=generator, dtype=torch.float64),
        "B": normal(BATCH, length, groups, D_STATE),
        "C": normal(BATCH, length, groups, D_STATE),
        "D": normal(HEADS),
    }
    if initial:
        tensors["initial_state"] = normal(BATCH, HEADS, HEADDIM, D_STATE)
    return {name: tensor.to(dtype).requires_grad_() for name, tensor in tensors.items()}


def run(tensors, backend, chunk_size=None):
    """(y, final state, gradients) under random output gradients."""
    y, state = ssd_extend(**tensors, backend=backend, chunk_size=chunk_size)
    generator = torch.Generator().manual_seed(1)
    weights = [torch.randn(t.shape, generator=generator, dtype=torch.float64).to(t.dtype) for t in (y, state)]
    grads = torch.autograd.grad((y * weights[0]).sum() + (state * weights[1]).sum(), list(tensors.values()))
    return y, state, *grads


@pytest.mark.parametrize("initial", [False, True])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("length", [1, 2, 63, 97, 500])
def test_torch_equals_reference(length, groups, initial):
    tensors = inputs(length, groups, initial)
    definition = run(tensors, "reference")
    for chunk_size in (None, LONG_CHUNK):
        for ours, expected in zip(run(tensors, "torch", chunk_size), definition, strict=True):
            torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-9)


def test_long_chunk_without_state():
    """The usual window: one chunk, from a zero state, without the final state."""
    tensors = inputs(97)
    weight = torch.randn(BATCH, 97, HEADS, HEADDIM, dtype=torch.float64)
    for ours, definition in zip(
        *(
            torch.autograd.grad((ssd_scan(**tensors, backend=name, chunk_size=97) * weight).sum(), tensors.values())
            for name in ("torch", "reference")
        ),
        strict=True,
    ):
        torch.testing.assert_close(ours, definition, rtol=1e-9, atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 170), st.integers(1, 180), st.integers(0, 99))
def test_result_does_not_depend_on_chunk_size(length, chunk_size, seed):
    tensors = inputs(length, 2, True, seed=seed)
    for ours, other in zip(run(tensors, "torch", chunk_size), run(tensors, "torch", 16), strict=True):
        torch.testing.assert_close(ours, other, rtol=1e-9, atol=1e-9)


def test_result_does_not_depend_on_tiles(monkeypatch):
    tensors = inputs(50, 2, True)
    whole = run(tensors, "torch", 8)
    monkeypatch.setattr("damamba.scan.chunked.TILE_BYTES", 8 * HEADS * 8**2 * 3)  # three chunks of one row
    for ours, other in zip(run(tensors, "torch", 8), whole, strict=True):
        torch.testing.assert_close(ours, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("length", "rows", "tiles"),
    [(96, 256, 1), (6000, 8, 1), (6000, 512, 7)],
    ids=["windows", "sessions", "many sessions"],
)
def test_a_device_gets_whole_batches_as_tiles(monkeypatch, length, rows, tiles):
    """Tensors without values stand in for those of a GPU; 8 heads of 64 channels and 64 states."""
    made = []

    class Counted(chunked._Tile):
        def __init__(self, *series):
            made.append(series[0][..., 0, 0].numel())
            super().__init__(*series)

    monkeypatch.setattr(chunked, "_Tile", Counted)
    x, dt = torch.empty(rows, length, 8, 64, device="meta"), torch.empty(rows, length, 8, device="meta")
    B, C = (torch.empty(rows, length, 1, 64, device="meta") for _ in range(2))
    inputs = [series.requires_grad_() for series in (x, dt, torch.empty(8, device="meta"), B, C)]
    y = ssd_scan(*inputs)
    assert len(made) <= tiles
    y.sum().backward()
    assert (y.shape, x.grad.shape) == (x.shape, x.shape)
    assert len(made) <= 2 * tiles  # forwards and backwards
    assert sum(made) >= 2 * rows * length  # and no frame is left out


@pytest.mark.parametrize("whole_chunk", [3, 2])  # whole, and cut in two
def test_gradients_by_finite_differences(whole_chunk, monkeypatch):
    monkeypatch.setattr("damamba.scan.chunked.WHOLE_CHUNK", whole_chunk)
    tensors = inputs(7, 2, True, masked=False)  # missing frames have dt at its bound

    def scan(*values):
        named = dict(zip(tensors, values, strict=True))
        return ssd_extend(**named, backend="torch", chunk_size=3)

    assert torch.autograd.gradcheck(scan, tuple(tensors.values()))


def test_y_alone_has_the_gradients_of_the_reference():
    tensors = inputs(20)
    y = ssd_scan(**tensors, backend="torch", chunk_size=8)
    with_state, _ = ssd_extend(**tensors, backend="torch", chunk_size=8)
    torch.testing.assert_close(y, with_state)
    for ours, definition in zip(
        torch.autograd.grad(y.sum(), list(tensors.values())),
        torch.autograd.grad(ssd_scan(**tensors, backend="reference").sum(), list(tensors.values())),
        strict=True,
    ):
        torch.testing.assert_close(ours, definition)


@pytest.mark.parametrize("chunk_size", [None, LONG_CHUNK])
def test_float32_error_at_6000_frames(chunk_size):
    tensors = {name: tensor.detach() for name, tensor in inputs(6000, masked=False).items()}
    exact = ssd_scan(**tensors, backend="reference")
    tensors = {name: tensor.float() for name, tensor in tensors.items()}
    rounded = ssd_scan(**tensors, backend="torch", chunk_size=chunk_size)
    assert ((rounded - exact).abs().max() / exact.abs().max()).item() <= 5e-6


@pytest.mark.parametrize("chunk_size", [None, LONG_CHUNK])
@pytest.mark.parametrize("factor", [300, 1e4, 1e30])
def test_extreme_decay_is_finite(factor, chunk_size):
    tensors = inputs(200, initial=True, dtype=torch.float32)
    with torch.no_grad():
        tensors["dt"] *= factor
        tensors["x"] /= factor
    for values in run(tensors, "torch", chunk_size):
        assert torch.isfinite(values).all()


def test_state_passes_through_missing_frames_unchanged():
    tensors = inputs(40, initial=True)
    with torch.no_grad():
        tensors["dt"][:, 10:] = 0
    _, state = ssd_extend(**tensors, backend="torch", chunk_size=16)
    short = {name: t[:, :10] if name in ("x", "dt", "B", "C") else t for name, t in tensors.items()}
    torch.testing.assert_close(state, ssd_extend(**short, backend="reference")[1])


def test_pieces_equal_the_whole():
    tensors = inputs(90, 2, True)
    whole, final = ssd_extend(**tensors, backend="torch")
    state, pieces = tensors.pop("initial_state"), []
    for start, end in ((0, 1), (1, 40), (40, 90)):
        piece = {name: t[:, start:end] if name in ("x", "dt", "B", "C") else t for name, t in tensors.items()}
        y, state = ssd_extend(**piece, initial_state=state, backend="torch", chunk_size=16)
        pieces.append(y)
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole)
    torch.testing.assert_close(state, final)


def test_steps_equal_the_whole():
    tensors = inputs(30, 2, initial=True, dtype=torch.float32)
    bias = torch.randn(HEADS)
    options = {"dt_bias": bias, "dt_softplus": True, "dt_limit": (1e-3, 0.5)}
    whole, _ = ssd_extend(**tensors, **options, backend="torch", chunk_size=16)
    state, steps = tensors["initial_state"], []
    for t in range(30):
        x, dt, B, C = (tensors[name][:, t] for name in ("x", "dt", "B", "C"))
        y, state = ssd_step(state, x, dt, tensors["A"], B, C, D=tensors["D"], **options)
        steps.append(y)
    torch.testing.assert_close(torch.stack(steps, dim=1), whole, rtol=1e-5, atol=1e-5)


def test_missing_kernels_raise_with_the_install_command(monkeypatch):
    monkeypatch.setattr(cuda, "kernel", lambda: None)
    with pytest.raises(InputError, match="pip install 'mamba-ssm"):
        ssd_scan(**inputs(3), backend="mamba_ssm")


def test_kernels_refuse_tensors_on_another_device(monkeypatch):
    monkeypatch.setattr(cuda, "kernel", lambda: print)
    with pytest.raises(InputError, match="are on cpu"):
        ssd_scan(**inputs(3), backend="mamba_ssm")


def test_package_that_cannot_be_imported_counts_as_missing(monkeypatch):
    """For example one built for another torch: the module exists, its import fails."""
    monkeypatch.setitem(sys.modules, "mamba_ssm.ops.triton.ssd_combined", None)
    cuda.kernel.cache_clear()
    assert cuda.kernel() is None
    cuda.kernel.cache_clear()


def test_auto_checks_the_device_at_every_call_and_logs_a_fallback_once(monkeypatch, caplog):
    monkeypatch.setattr(cuda, "kernel", lambda: None)
    dispatch.log_fallback.cache_clear()
    assert [dispatch.choose_backend(device) for device in ("cpu", "cuda", "cuda")] == ["torch"] * 3
    assert len(caplog.records) == 1
    monkeypatch.setattr(cuda, "kernel", lambda: print)
    assert dispatch.choose_backend("cuda") == "mamba_ssm"
    assert dispatch.choose_backend("cpu") == "torch"
