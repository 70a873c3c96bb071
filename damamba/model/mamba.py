"""Mamba-2 block: projection, short convolution, selective scan, gated norm, projection.

Parameters have the names and shapes of `mamba_ssm.Mamba2`, so weights can be exchanged with it: `ngroups=1` for the
causal block. The block that looks both ways is `ngroups=2`: the heads of the first group run forwards in time, those
of the second backwards, each direction with its own weights, in one scan at the cost of a causal one.
"""

import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from damamba.console import InputError
from damamba.model.precision import fusible, unrounded
from damamba.model.stream_state import Memory
from damamba.scan import Mixing, causal_conv, gated_rms_norm, mix, ssd_extend, ssd_scan, ssd_step

DT_RANGE = (1e-3, 1e-1)  # step sizes at the start, as in mamba_ssm; with A, memories of 0.6 to 1000 frames
A_RANGE = (1.0, 16.0)
MIN_TOTAL_DT = 1e-6  # below it, what the partners write is nothing beside rounding


class MambaState(NamedTuple):
    """What a causal block remembers of a stream."""

    conv: Float[Tensor, "batch history channels"]
    ssm: Float[Tensor, "batch heads headdim d_state"]


class ScanInputs(NamedTuple):
    """What the projection and the convolution make of a sequence."""

    z: Float[Tensor, "batch length d_inner"]
    """Gate of what the scan returns."""
    x: Float[Tensor, "batch length heads headdim"]
    dt: Float[Tensor, "batch length heads"]
    B: Float[Tensor, "batch length groups d_state"]
    C: Float[Tensor, "batch length groups d_state"]
    conv_state: Float[Tensor, "batch history channels"]


class GatedRMSNorm(nn.Module):
    """norm(y ∘ silu(z)) within each group of channels (`mamba_ssm`'s RMSNormGated, norm after the gate)."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.groups = groups
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(
        self, y: Float[Tensor, "batch length channels"], z: Float[Tensor, "batch length channels"]
    ) -> Float[Tensor, "batch length channels"]:
        """Each frame by itself."""
        with unrounded(y):
            return gated_rms_norm(y, z, self.weight, self.groups)


class _TurnSecondHalves(torch.autograd.Function):
    """Its own inverse and its own adjoint."""

    @staticmethod
    def forward(ctx: Any, series: Tensor, widths: list[int]) -> Tensor:
        ctx.widths = widths
        turned = series.clone(memory_format=torch.contiguous_format)
        end = 0
        for width in widths:
            end += width
            turned[..., end - width // 2 : end] = series[..., end - width // 2 : end].flip(1)
        return turned

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return _TurnSecondHalves.apply(grad, ctx.widths), None


def turn_second_halves(
    series: Float[Tensor, "batch length channels"], widths: list[int]
) -> Float[Tensor, "batch length channels"]:
    """Reverse time in the second half of each block of channels; `widths` are those of the blocks."""
    return _TurnSecondHalves.apply(series, widths)


class MambaBlock(nn.Module):
    """Selective state-space layer over frames; no residual, no norm in front.

    Where `valid` is False the convolution takes in 0 and the step size is 0: the state passes through unchanged, and
    the frame's content, NaN too, reaches no other frame. The frame itself still reads the state.
    """

    def __init__(
        self,
        d_model: int,
        d_state: int = 64,
        headdim: int = 64,
        expand: int = 2,
        d_conv: int = 4,
        bidirectional: bool = False,
    ) -> None:
        super().__init__()
        self.d_inner = expand * d_model
        self.d_state = d_state
        self.heads = self.d_inner // headdim
        self.groups = 2 if bidirectional else 1
        self.bidirectional = bidirectional
        if self.d_inner % headdim or self.heads % self.groups:
            raise InputError(
                f"headdim: {headdim} must divide the inner width {self.d_inner} ({expand} x {d_model})"
                + (" into an even number of heads, half of them for each direction" if bidirectional else "")
            )
        channels = self.d_inner + 2 * self.groups * d_state
        self.in_proj = nn.Linear(d_model, self.d_inner + channels + self.heads, bias=False)
        self.conv1d = nn.Conv1d(channels, channels, d_conv, groups=channels, padding=d_conv - 1)
        dt = torch.exp(torch.empty(self.heads).uniform_(math.log(DT_RANGE[0]), math.log(DT_RANGE[1])))
        self.dt_bias = nn.Parameter(dt + torch.log(-torch.expm1(-dt)))  # softplus of it is dt
        self.A_log = nn.Parameter(torch.empty(self.heads).uniform_(*A_RANGE).log())
        self.D = nn.Parameter(torch.ones(self.heads))
        self.norm = GatedRMSNorm(self.d_inner, self.groups)
        self.out_proj = nn.Linear(self.d_inner, d_model, bias=False)

    def forward(
        self,
        x: Float[Tensor, "batch length d_model"],
        valid: Bool[Tensor, "batch length"] | None = None,
        memory: Memory | None = None,
    ) -> Float[Tensor, "batch length d_model"]:
        """Whole sequences, from a zero state; with a memory, the next frames of streams."""
        if memory is not None:
            y, memory[self] = self.extend(x, valid, memory.get(self))
            return y
        if fusible(x):
            return self.mix(self.in_proj(x), valid)
        inputs = self.project(x, valid)
        with unrounded(x):
            y = ssd_scan(inputs.x, inputs.dt, -self.A_log.exp(), inputs.B, inputs.C, D=self.D)
        return self.finish(y, inputs.z)

    def mix(
        self, projected: Float[Tensor, "batch length channels"], valid: Bool[Tensor, "batch length"] | None
    ) -> Float[Tensor, "batch length d_model"]:
        """What `forward` does with the result of `in_proj`, as one operation (`fusible`)."""
        assert self.conv1d.bias is not None
        convolution, scan = (self.conv1d.weight, self.conv1d.bias), (self.dt_bias, -self.A_log.exp(), self.D)
        sizes = Mixing(self.d_inner, self.d_state, self.heads, self.groups)
        return mix(projected, valid, *convolution, *scan, self.norm.weight, self.out_proj.weight, sizes)

    def extend(
        self,
        x: Float[Tensor, "batch length d_model"],
        valid: Bool[Tensor, "batch length"] | None,
        state: MambaState | None,
    ) -> tuple[Float[Tensor, "batch length d_model"], MambaState]:
        """The next frames of streams: (output, state to continue from); None starts.

        Raises:
            InputError: The block looks both ways.
        """
        self._check_causal()
        inputs = self.project(x, valid, state.conv if state else None)
        A = -self.A_log.exp()
        if x.shape[1] == 1 and state is not None:
            values, dt, B, C = (series[:, 0] for series in (inputs.x, inputs.dt, inputs.B, inputs.C))
            with unrounded(x):
                y, ssm = ssd_step(state.ssm, values, dt, A, B, C, D=self.D)
            y = y[:, None]
        else:
            before = state.ssm if state else None
            with unrounded(x):
                y, ssm = ssd_extend(inputs.x, inputs.dt, A, inputs.B, inputs.C, initial_state=before, D=self.D)
        return self.finish(y, inputs.z), MambaState(inputs.conv_state.clone(), ssm)

    def _check_causal(self) -> None:
        if self.bidirectional:
            raise InputError("a block that looks both ways cannot stream; make one with bidirectional=False")

    def step(
        self,
        x: Float[Tensor, "batch d_model"],
        valid: Bool[Tensor, "batch"] | None = None,
        state: MambaState | None = None,
    ) -> tuple[Float[Tensor, "batch d_model"], MambaState]:
        """One frame of `extend`."""
        y, state = self.extend(x[:, None], None if valid is None else valid[:, None], state)
        return y[:, 0], state

    def project(
        self,
        x: Float[Tensor, "batch length d_model"],
        valid: Bool[Tensor, "batch length"] | None,
        conv_state: Float[Tensor, "batch history channels"] | None = None,
    ) -> ScanInputs:
        """Everything before the scan; channels of the backward group come out in reversed time.

        What follows needs all of the projection for its gradient: it is kept whole, and z, xBC and dt are views of it.
        """
        widths = [self.d_inner, self.groups * self.d_state, self.groups * self.d_state]
        projected = self.in_proj(x).to(self.dt_bias.dtype)
        if (
            valid is not None
        ):  # in place: a copy would be kept; but for the gate, through which the frame reads the state
            projected[..., self.d_inner :].masked_fill_(~valid[..., None], 0)
        if self.bidirectional:
            projected = turn_second_halves(projected, [self.d_inner, *widths, self.heads])
        z, xBC, dt = projected.split((self.d_inner, sum(widths), self.heads), dim=-1)
        dt = F.softplus(dt + self.dt_bias)
        if valid is not None:
            observed = valid[..., None]
            if self.bidirectional:
                observed = turn_second_halves(observed.expand(dt.shape).to(dt.dtype), [self.heads])
            dt = dt * observed
        assert self.conv1d.bias is not None
        with unrounded(x):
            xBC, conv_state = causal_conv(
                xBC, self.conv1d.weight, self.conv1d.bias, state=conv_state, activation="silu"
            )
        values, B, C = xBC.split(widths, dim=-1)
        return ScanInputs(
            z,
            values.unflatten(-1, (self.heads, -1)),
            dt,
            B.unflatten(-1, (self.groups, -1)),
            C.unflatten(-1, (self.groups, -1)),
            conv_state,
        )

    def finish(
        self, y: Float[Tensor, "batch length heads headdim"], z: Float[Tensor, "batch length d_inner"]
    ) -> Float[Tensor, "batch length d_model"]:
        """Everything behind the scan; time runs as `project` left it."""
        y = self.norm(y.flatten(2), z)
        if self.bidirectional:
            y = turn_second_halves(y, [self.d_inner])
        return self.out_proj(y)


class PartnerMamba(MambaBlock):
    """Mamba over the (P - 1)·T frames of all partners, in which the frames of one instant have no order.

    The partners share one memory. At every instant it decays once, by the mean of their step sizes; all of them write
    into it together, with equal shares; and all of them read what it then holds, through the mean of their read
    vectors. So seats can be swapped, and the time scale is the same for any number of partners. With one partner this
    is `MambaBlock`. A frame that is not valid has no part in any mean.
    """

    def forward(
        self,
        x: Float[Tensor, "batch partners length d_model"],
        valid: Bool[Tensor, "batch partners length"],
        memory: Memory | None = None,
    ) -> Float[Tensor, "batch partners length d_model"]:
        """Whole sequences, from a zero state; with a memory, the next frames of streams."""
        if memory is not None:
            y, memory[self] = self.extend(x, valid, memory.get(self))
            return y
        return self._run(x, valid, None, False)[0]

    def extend(
        self,
        x: Float[Tensor, "batch partners length d_model"],
        valid: Bool[Tensor, "batch partners length"],
        state: MambaState | None,
    ) -> tuple[Float[Tensor, "batch partners length d_model"], MambaState]:
        """The next frames of streams; the state's rows are batch x partners."""
        self._check_causal()
        y, new = self._run(x, valid, state, True)
        assert new is not None
        return y, new

    def _run(
        self, x: Tensor, valid: Tensor, state: MambaState | None, keep_state: bool
    ) -> tuple[Tensor, MambaState | None]:
        partners = x.shape[1]
        inputs = self.project(x.flatten(0, 1), valid.flatten(0, 1), state.conv if state else None)
        dt, C = (series.unflatten(0, (-1, partners)) for series in (inputs.dt, inputs.C))
        observed = valid[..., None].expand(dt.shape).to(dt.dtype)
        if self.bidirectional:
            observed = turn_second_halves(observed.flatten(0, 1), [self.heads]).view_as(dt)
        count = observed.sum(1).clamp(min=1)  # batch length heads
        total = dt.sum(1)
        share = dt / total.clamp(min=MIN_TOTAL_DT)[:, None]  # (dt / count) of each partner over the mean step size

        of_group = slice(None, None, self.heads // self.groups)  # one head of each group
        C = (C * observed[..., of_group, None]).sum(1) / count[..., of_group, None]
        everyone = [
            series[:, None].expand(-1, partners, *series.shape[1:]).flatten(0, 1) for series in (total / count, C)
        ]
        written = inputs.x * share.flatten(0, 1)[..., None]
        operands = (written, everyone[0], -self.A_log.exp(), inputs.B, everyone[1])
        with unrounded(x):
            if keep_state:
                y, ssm = ssd_extend(*operands, initial_state=state.ssm if state else None)
            else:
                y, ssm = ssd_scan(*operands), None
        # The state is linear in what was written: each row carries one partner's part, the sum is the shared memory.
        y = y.unflatten(0, (-1, partners)).sum(1, keepdim=True).expand(-1, partners, -1, -1, -1).flatten(0, 1)
        y = self.finish(y + self.D[:, None] * inputs.x, inputs.z).unflatten(0, (-1, partners))
        return y, None if ssm is None else MambaState(inputs.conv_state.clone(), ssm)
