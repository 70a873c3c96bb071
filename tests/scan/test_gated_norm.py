import pytest
import torch
import torch.nn.functional as F

from damamba.scan import gated_rms_norm

CHANNELS = 6


def tensors(length=7):
    """As in a block, z is a slice of a wider tensor."""
    y, projected = (torch.randn(2, length, width, dtype=torch.float64) for width in (CHANNELS, 2 * CHANNELS))
    weight = torch.randn(CHANNELS, dtype=torch.float64)
    return y.requires_grad_(), projected[..., :CHANNELS].requires_grad_(), weight.requires_grad_()


def separate(y, z, weight, groups):
    gated = (y * F.silu(z)).unflatten(-1, (groups, -1))
    return F.rms_norm(gated, gated.shape[-1:], eps=1e-5).flatten(-2) * weight


@pytest.mark.parametrize("length", [1, 7])
@pytest.mark.parametrize("groups", [1, 2])
def test_equals_rms_norm_after_the_gate(groups, length):
    y, z, weight = tensors(length)
    ours, definition = (function(y, z, weight, groups) for function in (gated_rms_norm, separate))
    torch.testing.assert_close(ours, definition)
    grads = [torch.autograd.grad(out.square().sum(), (y, z, weight)) for out in (ours, definition)]
    torch.testing.assert_close(*grads)


@pytest.mark.parametrize("groups", [1, 2])
def test_gradients_by_finite_differences(groups):
    assert torch.autograd.gradcheck(lambda *inputs: gated_rms_norm(*inputs, groups), tensors())


def test_result_does_not_depend_on_tiles(monkeypatch):
    inputs = tensors(31)
    whole = gated_rms_norm(*inputs, 2)
    grads = torch.autograd.grad(whole.square().sum(), inputs)
    monkeypatch.setattr("damamba.scan.gated_norm.TILE_NUMBERS", 4 * CHANNELS)  # a tile holds frames of both rows
    tiled = gated_rms_norm(*inputs, 2)
    torch.testing.assert_close(tiled, whole)
    torch.testing.assert_close(torch.autograd.grad(tiled.square().sum(), inputs), grads)


def test_frames_do_not_depend_on_each_other():
    y, z, weight = tensors()
    torch.testing.assert_close(gated_rms_norm(y[:, 3:4], z[:, 3:4], weight, 2), gated_rms_norm(y, z, weight, 2)[:, 3:4])
