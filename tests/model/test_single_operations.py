"""Layers that are one operation with a gradient of their own give what the separate operations give."""

import pytest
import torch

from damamba.model import DAMamba
from damamba.model.fusion import MambaLayer
from damamba.model.hybrid import HybridBlock
from tests.conftest import frozen_params

SIZES = {"d_state": 4, "headdim": 4, "n_heads": 2, "chunk_frames": 8, "causal": False, "dropout": 0.3}


@pytest.mark.parametrize("length", [1, 24, 50])
@pytest.mark.parametrize("kind", [HybridBlock, MambaLayer])
def test_values_and_gradients(monkeypatch, kind, length):
    torch.manual_seed(0)
    block = kind(16, DAMamba.Params.model_validate(frozen_params().architectures["da_mamba"] | SIZES))
    x, valid = torch.randn(3, length, 16, requires_grad=True), torch.rand(3, length) > 0.2
    weight = torch.randn_like(x)

    def results():
        torch.manual_seed(1)  # the same numbers are dropped
        y = block(x, valid)
        return [y.detach(), *torch.autograd.grad((y * weight).sum(), [x, *block.parameters()])]

    ours = results()
    monkeypatch.setattr("damamba.model.attention.BLOCK_NUMBERS", 1)  # a sequence at a time
    torch.testing.assert_close(results(), ours, rtol=1e-4, atol=1e-5)
    for module in ("attention", "fusion", "hybrid", "mamba"):
        monkeypatch.setattr(f"damamba.model.{module}.fusible", lambda x: False)
    torch.testing.assert_close(results(), ours, rtol=1e-4, atol=1e-5)
