"""The recurrence as one operator of an exported graph: a loop inside the graph, over any number of frames.

`torch.export` would unroll the loop of `reference_scan` at the length that it sees, and `chunked_scan` chooses its
tiles by the sizes that it sees. In ONNX this becomes the operator Scan.
"""

from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor

from damamba.scan.reference import reference_step


def exported_scan(
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

    def step(state: Tensor, frame: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        x, dt, B, C = frame
        y, state = reference_step(state, x, dt, A, B, C)
        return state, y

    return over_frames(step, state, (x, dt, B, C))


def over_frames(
    step: Callable[[Tensor, Sequence[Tensor]], tuple[Tensor, Tensor]], state: Tensor, series: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """(outputs, last state) of `step`, which takes a state and a frame and returns the next state and an output.

    Args:
        step: What is done at each frame.
        state: Before the first one.
        series: (batch, length, …) each.
    """
    from torch._higher_order_ops.scan import scan  # PyTorch has no public name for it yet

    def copied(state: Tensor, frame: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        state, y = step(state, frame)
        return state.clone(), y.clone()  # neither may be a view of the other, or of an input

    last, outputs = scan(copied, state, tuple(one.transpose(0, 1) for one in series))
    return outputs.transpose(0, 1), last
