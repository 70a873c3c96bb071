"""Operations that autocast must not round: the memory of a block, and scores; and where layers are one operation."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn


def unrounded(x: Tensor) -> AbstractContextManager[Any]:
    """Context in which operations on `x` keep the precision of their inputs."""
    device = x.device.type
    return torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext()


def fusible(x: Tensor) -> bool:
    """Whether layers are single operations with gradients of their own: on a CPU, in full precision, not in a graph."""
    return x.device.type == "cpu" and not torch.is_autocast_enabled("cpu") and not torch.compiler.is_exporting()


class UnroundedLinear(nn.Linear):
    """A linear layer in the precision of its weights: in bfloat16, scores near 1 would be multiples of 1/256."""

    def forward(self, x: Float[Tensor, "*frames width"]) -> Float[Tensor, "*frames channels"]:
        """Each frame by itself."""
        with unrounded(x):
            return super().forward(x.to(self.weight.dtype))
