"""The optimiser: which weights decay, and the learning rate of each step."""

import math

import torch
from torch import nn

from damamba.config import TrainParams


def make_optimizer(model: nn.Module, params: TrainParams) -> torch.optim.AdamW:
    """AdamW over two groups: matrices, which decay, and the rest, which does not.

    Biases, gains of norms and the decay rates, step sizes and skips of state-space layers (A_log, dt_bias, D) are
    vectors; a pull towards zero would change what they mean. So would it for weights with `_no_weight_decay`, by which
    the layers of `mamba_ssm` mark theirs.
    """
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    decays = [weight.ndim > 1 and not getattr(weight, "_no_weight_decay", False) for weight in weights]
    groups = [
        {"params": [w for w, d in zip(weights, decays, strict=True) if d], "weight_decay": params.weight_decay},
        {"params": [w for w, d in zip(weights, decays, strict=True) if not d], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=params.learning_rate)


def learning_rate(step: int, params: TrainParams) -> float:
    """Linear warm-up, then a cosine to zero."""
    if step < params.warmup_steps:
        return params.learning_rate * (step + 1) / params.warmup_steps
    done = (step - params.warmup_steps) / max(params.steps - params.warmup_steps, 1)
    return params.learning_rate * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
