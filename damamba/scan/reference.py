"""The loop that defines the selective scan, frame by frame, in any dtype: slow, and the standard for the others."""

import torch
from jaxtyping import Float
from torch import Tensor


def reference_scan(
    x: Float[Tensor, "batch length heads headdim"],
    dt: Float[Tensor, "batch length heads"],
    A: Float[Tensor, "heads"],
    B: Float[Tensor, "batch length groups d_state"],
    C: Float[Tensor, "batch length groups d_state"],
    initial_state: Float[Tensor, "batch heads headdim d_state"] | None = None,
) -> tuple[Float[Tensor, "batch length heads headdim"], Float[Tensor, "batch heads headdim d_state"]]:
    """(y, final state) of the recurrence, without the skip connection (symbols: `damamba.scan`)."""
    batch, _, heads, headdim = x.shape
    state = x.new_zeros(batch, heads, headdim, B.shape[-1]) if initial_state is None else initial_state
    outputs = []
    # unbind, not indexing: the backward pass of x[:, t] would make a tensor of zeros as long as x for every frame.
    for x_t, dt_t, B_t, C_t in zip(x.unbind(1), dt.unbind(1), B.unbind(1), C.unbind(1), strict=True):
        y_t, state = reference_step(state, x_t, dt_t, A, B_t, C_t)
        outputs.append(y_t)
    return torch.stack(outputs, dim=1), state


def reference_step(
    state: Float[Tensor, "batch heads headdim d_state"],
    x: Float[Tensor, "batch heads headdim"],
    dt: Float[Tensor, "batch heads"],
    A: Float[Tensor, "heads"],
    B: Float[Tensor, "batch groups d_state"],
    C: Float[Tensor, "batch groups d_state"],
) -> tuple[Float[Tensor, "batch heads headdim"], Float[Tensor, "batch heads headdim d_state"]]:
    """One frame: (y, next state)."""
    heads_per_group = x.shape[1] // B.shape[1]
    B, C = (vectors.repeat_interleave(heads_per_group, dim=1) for vectors in (B, C))
    decay = torch.exp(dt * A)[..., None, None]
    written = (dt[..., None] * x)[..., :, None] * B[..., None, :]
    state = decay * state + written
    return (state @ C[..., None]).squeeze(-1), state
