import pytest
import torch

from damamba.model.mamba import MambaBlock


def block(bidirectional):
    torch.manual_seed(0)
    layer = MambaBlock(8, d_state=4, headdim=4, bidirectional=bidirectional).double()
    with torch.no_grad():
        for name, weight in layer.named_parameters():
            if name in ("norm.weight", "D", "conv1d.bias"):
                weight.normal_()
    return layer


def results(layer, x, valid, weight):
    y = layer(x, valid)
    return [y.detach(), *torch.autograd.grad((y * weight).sum(), [x, *layer.parameters()])]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("length", [1, 3, 40, 70, 101])  # one chunk, two halves, several chunks with a rest
@pytest.mark.parametrize("bidirectional", [False, True])
def test_equals_the_separate_operations(monkeypatch, bidirectional, length, masked):
    layer = block(bidirectional)
    x = torch.randn(3, length, 8, dtype=torch.float64, requires_grad=True)
    valid = torch.rand(3, length) > 0.3 if masked else None
    weight = torch.randn_like(x)
    ours = results(layer, x, valid, weight)
    monkeypatch.setattr("damamba.scan.mixer.BLOCK_NUMBERS", 1)  # a sequence at a time
    torch.testing.assert_close(results(layer, x, valid, weight), ours)
    monkeypatch.setattr("damamba.model.mamba.fusible", lambda x: False)
    torch.testing.assert_close(results(layer, x, valid, weight), ours)


def test_what_is_not_valid_reaches_no_other_frame():
    layer = block(True)
    x = torch.randn(1, 9, 8, dtype=torch.float64)
    valid = torch.ones(1, 9, dtype=torch.bool)
    valid[0, 4] = False
    broken = torch.where(valid[..., None], x, torch.nan)
    torch.testing.assert_close(layer(broken, valid)[valid], layer(x, valid)[valid])
