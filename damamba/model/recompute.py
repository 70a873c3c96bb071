"""Gradient checkpointing: blocks keep only their inputs and compute the rest again in the backward pass."""

from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


class Block(nn.Module):
    """A layer that supports gradient checkpointing: the same numbers, dropout included, for one more forward pass."""

    recompute = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """As of `nn.Module`."""
        if self.recompute and torch.is_grad_enabled():
            return checkpoint(super().__call__, *args, use_reentrant=False, **kwargs)
        return super().__call__(*args, **kwargs)


def recompute_blocks(model: nn.Module) -> None:
    """Switch checkpointing on for every outermost block of a model: a nested block would be computed three times."""
    for child in model.children():
        if isinstance(child, Block):
            child.recompute = True
        else:
            recompute_blocks(child)
