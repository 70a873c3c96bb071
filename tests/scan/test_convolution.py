import torch
import torch.nn.functional as F

from damamba.scan import causal_conv


def tensors(length=9):
    shapes = ((2, length, 5), (5, 1, 4), (5,), (2, 3, 5))
    return [torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in shapes]


def test_is_torch_convolution_with_past_frames_only():
    x, weight, bias, _ = tensors()
    expected = F.conv1d(F.pad(x.transpose(1, 2), (3, 0)), weight, bias, groups=5).transpose(1, 2)
    torch.testing.assert_close(causal_conv(x, weight, bias)[0], expected)


def test_gradients_by_finite_differences():
    x, weight, bias, state = tensors()
    assert torch.autograd.gradcheck(lambda x, w, b, s: causal_conv(x, w, b, state=s), (x, weight, bias, state))


def test_pieces_make_the_whole():
    x, weight, bias, state = tensors(12)
    whole, last = causal_conv(x, weight, bias, state=state)
    pieces = []
    for start, end in ((0, 1), (1, 2), (2, 12)):  # pieces shorter than the convolution too
        piece, state = causal_conv(x[:, start:end], weight, bias, state=state)
        pieces.append(piece)
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole)
    torch.testing.assert_close(state, last)
