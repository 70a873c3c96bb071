"""Exponential moving average of a model's weights."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


class Ema:
    """Running mean of the weights, which is validated, saved and used.

    The decay is min(decay, (1 + n) / (10 + n)) at step n, so that a short run does not keep its initial weights.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model, self.decay, self.n = model, decay, 0
        self.weights = {name: p.detach().clone() for name, p in model.named_parameters()}

    @torch.no_grad()
    def update(self) -> None:
        """Include the weights after one more step."""
        decay = min(self.decay, (1 + self.n) / (10 + self.n))
        self.n += 1
        for name, p in self.model.named_parameters():
            self.weights[name].lerp_(p.detach(), 1 - decay)

    @contextmanager
    def swap(self) -> Iterator[None]:
        """Give the model the averaged weights inside the block, and its own back afterwards, whatever happens."""
        own = {name: p.detach().clone() for name, p in self.model.named_parameters()}
        self.load(self.weights)
        try:
            yield
        finally:
            self.load(own)

    @torch.no_grad()
    def load(self, weights: dict[str, torch.Tensor]) -> None:
        """Put `weights` into the model."""
        for name, p in self.model.named_parameters():
            p.copy_(weights[name])
