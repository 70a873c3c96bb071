"""Running means of every channel, of the target and of the partners: what the readings without a network see.

Every channel of the target, and every channel of the partners together, is smoothed over the past and, unless causal,
over the future with exponential kernels of several lengths. Kernels of different lengths add up to delayed ones: a
partner's influence may come late.
"""

import math
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from damamba.model.base import Examples, Statistics, standardise_each
from damamba.scan.exported import over_frames

SCALES_S = (0.25, 1.0, 4.0)
"""Time constants of the kernels, s: engagement is forgotten within seconds (docs/simulator.md)."""
APART_S = 0.2
"""Between rows of a fit at least: labels that are nearer hardly differ, and a ridge takes the cube of its rows."""
MAX_ROWS, MAX_VALUES = 5000, 100_000_000
"""Rows of a fit at most, and values of its matrix (400 MB)."""
PRIOR = 0.2
"""Weight of the training mean in a running mean, as a share of what a kernel weighs in all."""
LARGEST = 3.0
"""Standard deviations: a burst, as of flow where a face leaves the picture, must not decide a prediction."""
PIECE = 256
"""Frames whose sums are one matrix product."""


class RunningMeans(nn.Module):
    """The means, and the rows that a fit uses.

    Args:
        widths: Of the cues.
        rate_hz: Frames a second.
        statistics: As of `build_model`.
        partners: Whether the partners are read as well.
        causal: Whether the future is left out.
    """

    def __init__(
        self, widths: Mapping[str, int], rate_hz: int, statistics: Statistics | None, partners: bool, causal: bool
    ) -> None:
        super().__init__()
        self.widths, self.rate_hz, self.causal = dict(widths), rate_hz, causal
        self.standardise = standardise_each(widths, statistics)
        self.keep: Tensor
        """(S,) what a kernel keeps from frame to frame."""
        keep = torch.tensor([math.exp(-1 / (scale_s * rate_hz)) for scale_s in SCALES_S])
        self.register_buffer("keep", keep, persistent=False)
        self.prior: Tensor
        """(kernels,) added to the weight of the rows that were seen: without any, a mean is that of training."""
        self.register_buffer("prior", (PRIOR / (1 - keep)).repeat(1 if causal else 2), persistent=False)
        self.kernels = len(self.prior)
        self.roles = (slice(0, 1), slice(1, None))[: 2 if partners else 1]
        self.n_features = len(self.roles) * self.kernels * sum(self.widths.values())

    def chosen(
        self,
        cues: Mapping[str, Float[Tensor, "B P T _"]],
        valid: Mapping[str, Bool[Tensor, "B P T"]],
        present: Bool[Tensor, "B P"],
        features: Int[Tensor, "chosen"],
    ) -> Float[Tensor, "B T chosen"]:
        """Some of the running means at every frame.

        Args:
            cues: Of everyone, target first.
            valid: Where they were observed.
            present: False for seats that pad the batch.
            features: Their numbers in the order of `rows`.
        """
        n, first = len(self.keep), 0
        length = next(iter(valid.values())).shape[-1]
        out = torch.zeros(len(present), length, len(features), device=self.keep.device)
        for name, standardise in self.standardise.items():
            seen = valid[name] & present[..., None]
            for seats in self.roles:
                here = torch.nonzero((features >= first) & (features < first + self.kernels * self.widths[name]))[:, 0]
                kernel = (features[here] - first) // self.widths[name]
                channel = (features[here] - first) % self.widths[name]
                first += self.kernels * self.widths[name]
                x = standardise(cues[name][:, seats], seen[:, seats]).clamp(-LARGEST, LARGEST).sum(1)[..., channel]
                number = seen[:, seats].to(x.dtype).sum(1)[..., None].expand_as(x)
                for late in (False, True)[: 1 if self.causal else 2]:
                    some = torch.nonzero((kernel >= n) == late)[:, 0]
                    if not len(some):
                        continue
                    both = torch.stack((x[..., some], number[..., some]))
                    sums, _ = running_sums(both.flip(2) if late else both, self.keep[kernel[some] % n], None)
                    above, below = sums.flip(2) if late else sums
                    out[..., here[some]] = above / (below + self.prior[kernel[some]])
        return out

    def features(
        self,
        cues: Mapping[str, Float[Tensor, "B P T _"]],
        valid: Mapping[str, Bool[Tensor, "B P T"]],
        present: Bool[Tensor, "B P"],
        frames: Int[Tensor, "frames"],
    ) -> Float[Tensor, "B frames features"]:
        """Running means of every channel at some frames: in the order of `rows`."""
        length = next(iter(valid.values())).shape[-1]
        lag = frames[:, None] - torch.arange(length, device=frames.device)
        kernels = torch.cat([decayed(self.keep, x) for x in ((lag,) if self.causal else (lag, -lag))])
        columns = []
        for name, standardise in self.standardise.items():
            seen = valid[name] & present[..., None]
            for seats in self.roles:
                x = standardise(cues[name][:, seats], seen[:, seats]).clamp(-LARGEST, LARGEST)
                mask = seen[:, seats].to(self.keep.dtype)
                above = torch.einsum("kft,btd->bfkd", kernels, x.sum(1))
                below = torch.einsum("kft,bt->bfk", kernels, mask.sum(1))[..., None]
                columns.append((above / (below + self.prior[:, None])).flatten(2))
        return torch.cat(columns, dim=-1)

    def rows(
        self, examples: Examples
    ) -> tuple[Float[Tensor, "rows features"], Float[Tensor, "rows"], Int[Tensor, "rows"]]:
        """Features, label and fold of the frames that a fit uses."""
        rows = min(MAX_ROWS, MAX_VALUES // self.n_features)
        every = max(1, round(APART_S * self.rate_hz), math.ceil(examples.labelled_frames / rows))
        x, y, fold, passed = [], [], [], 0
        for batch in examples:
            for b in range(len(batch.fold)):
                known = torch.nonzero(batch.label_valid[b])[:, 0]
                # every so many frames of the whole, wherever windows begin
                frames = known[(-passed) % every :: every]
                passed += len(known)
                if not len(frames):
                    continue
                one = slice(b, b + 1)
                cues, valid = ({name: v[one] for name, v in by_cue.items()} for by_cue in (batch.cues, batch.valid))
                x.append(self.features(cues, valid, batch.present[one], frames)[0])
                y.append(batch.label[b, frames])
                fold.append(batch.fold[one].expand(len(frames)))
        return torch.cat(x), torch.cat(y), torch.cat(fold)


def decayed(keep: Float[Tensor, "kernels"], lag: Int[Tensor, "to from"]) -> Float[Tensor, "kernels to from"]:
    """What is left of a frame after `lag` frames; 0 for frames that are still to come."""
    return torch.where(lag >= 0, keep[:, None, None] ** lag.clamp_min(0), 0)


def running_sums(
    x: Float[Tensor, "*batch length kernels"],
    keep: Float[Tensor, "kernels"],
    state: Float[Tensor, "*batch kernels"] | None,
) -> tuple[Float[Tensor, "*batch length kernels"], Float[Tensor, "*batch kernels"]]:
    """y_t = keep y_{t-1} + x_t for each kernel, and the last y, from which the next frames continue."""
    if torch.compiler.is_exporting():
        state = torch.zeros_like(x[..., 0, :]) if state is None else state
        return _sums_in_a_graph(x, keep, state)
    sums = []
    for part in x.split(PIECE, dim=-2):
        n = part.shape[-2]
        lag = torch.arange(n, device=x.device)[:, None] - torch.arange(n, device=x.device)
        y = torch.einsum("kts,...sk->...tk", decayed(keep, lag), part)
        if state is not None:
            y = y + state[..., None, :] * keep ** torch.arange(1, n + 1, device=x.device)[:, None]
        state = y[..., -1, :]
        sums.append(y)
    assert state is not None
    return torch.cat(sums, dim=-2), state


def _sums_in_a_graph(x: Tensor, keep: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """`running_sums` as one loop over frames, of which there may be any number."""

    def step(state: Tensor, frame: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        state = keep * state + frame[0]
        return state, state

    leading = x.shape[:-2]
    sums, last = over_frames(step, state.flatten(0, -2), (x.flatten(0, -3),))
    return sums.unflatten(0, leading), last.unflatten(0, leading)
