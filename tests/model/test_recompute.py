"""Gradient checkpointing changes memory, and no number."""

import pytest
import torch

from damamba.model import recompute_blocks
from tests.model.test_da_mamba import batch, make


def gradients(model, inputs):
    torch.manual_seed(1)
    output = model.train()(*inputs)
    loss = sum(part.square().sum() for part in output.tensors())
    loss.backward()
    return loss, {name: p.grad for name, p in model.named_parameters()}


def kept_bytes(model, inputs):
    """Of what the forward pass keeps for the backward pass."""
    kept = {}

    def pack(tensor):
        kept[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model.train()(*inputs)
    return sum(kept.values())


@pytest.mark.parametrize(
    "change",
    [{}, {"causal": True}, {"block": "transformer"}, {"modality_fusion": False}, {"architecture": "dat"}],
)
def test_loss_and_gradients_are_equal_to_the_bit_and_less_is_kept(change):
    layers = {} if "architecture" in change else {"context_layers": 2}
    change = {"dropout": 0.3, **layers, **change}
    inputs = batch(40)
    plain, recomputed = make(**change), make(**change)
    recomputed.load_state_dict(plain.state_dict())
    recompute_blocks(recomputed)
    (loss, expected), (again, ours) = gradients(plain, inputs), gradients(recomputed, inputs)
    assert torch.equal(loss, again)
    for name, gradient in expected.items():
        assert (gradient is None) == (ours[name] is None), name
        assert gradient is None or torch.equal(gradient, ours[name]), name
    assert kept_bytes(recomputed, inputs) < 0.5 * kept_bytes(plain, inputs)
