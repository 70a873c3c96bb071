import pytest
import torch
import torch.nn.functional as F

from damamba.scan import causal_conv


def tensors(length=9):
    shapes = ((2, length, 5), (5, 1, 4), (5,), (2, 3, 5))
    return [torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in shapes]


def test_equals_torch_convolution_padded_on_the_left():
    x, weight, bias, _ = tensors()
    expected = F.conv1d(F.pad(x.transpose(1, 2), (3, 0)), weight, bias, groups=5).transpose(1, 2)
    torch.testing.assert_close(causal_conv(x, weight, bias)[0], expected)


@pytest.mark.parametrize("activation", [None, "silu"])
@pytest.mark.parametrize("length", [2, 9])  # shorter and longer than the four taps
def test_gradients_by_finite_differences(length, activation):
    x, weight, bias, state = tensors(length)

    def conv(x, weight, bias, state=None):
        return causal_conv(x, weight, bias, state=state, activation=activation)

    assert torch.autograd.gradcheck(conv, (x, weight, bias, state))
    assert torch.autograd.gradcheck(conv, (x, weight, bias))


def test_gradient_of_the_weights_does_not_depend_on_tiles(monkeypatch):
    x, weight, bias, _ = tensors(33)
    whole = torch.autograd.grad(causal_conv(x, weight, bias)[0].square().sum(), (x, weight, bias))
    monkeypatch.setattr("damamba.scan.convolution.TILE_NUMBERS", 5 * 2)  # two frames
    tiled = torch.autograd.grad(causal_conv(x, weight, bias)[0].square().sum(), (x, weight, bias))
    torch.testing.assert_close(tiled, whole)


def test_activation_is_applied_to_the_output():
    x, weight, bias, state = tensors()
    for frames in (slice(None), slice(1)):
        expected, _ = causal_conv(x[:, frames], weight, bias, state=state)
        active, _ = causal_conv(x[:, frames], weight, bias, state=state, activation="silu")
        torch.testing.assert_close(active, F.silu(expected))


def test_pieces_equal_the_whole():
    x, weight, bias, state = tensors(12)
    whole, last = causal_conv(x, weight, bias, state=state)
    pieces = []
    for start, end in ((0, 1), (1, 2), (2, 12)):  # some pieces are shorter than the convolution
        piece, state = causal_conv(x[:, start:end], weight, bias, state=state)
        pieces.append(piece)
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole)
    torch.testing.assert_close(state, last)
