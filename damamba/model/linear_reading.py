"""A linear reading of the cues: closed form, and hard to beat where few people meet wide cues.

Every channel of the target, and every channel of the partners together, is smoothed over the past and, unless causal,
over the future with exponential kernels of several lengths; engagement is a ridge regression on these running means.
Kernels of different lengths add up to delayed ones, so that a partner's influence may come late.

The projection comes first and the smoothing second, which is the same, because both are linear: a frame costs a product
of its channels with a few vectors, and a stream has a state of a few numbers.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from damamba.console import InputError
from damamba.model.base import Examples, Statistics, standardise_each
from damamba.model.stream_state import Memory
from damamba.scan.exported import over_frames

SCALES_S = (0.25, 1.0, 4.0)
"""Time constants of the kernels, s: engagement is forgotten within seconds (docs/simulator.md)."""
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Candidates, as multiples of the mean square of a row of features; then the best times and over the root of 10."""
APART_S = 0.2
"""Between rows of a fit at least: labels that are nearer hardly differ, and the fit takes the cube of its rows."""
MAX_ROWS, MAX_VALUES = 5000, 100_000_000
"""Rows of a fit at most, and values of its matrix (400 MB)."""
PRIOR = 0.2
"""Weight of the training mean in a running mean, as a share of what a kernel weighs in all."""
LARGEST = 3.0
"""Standard deviations: a burst, as of flow where a face leaves the picture, must not decide a prediction."""
MAX_GAIN = 3.0
SMALL = 1e-6
PIECE = 256
"""Frames whose sums are one matrix product."""


class Ridge(NamedTuple):
    """Result of `fit_ridge`."""

    weights: Float[Tensor, "features"]
    """Multiplied by the gain."""
    mean: float
    """Added to every prediction."""
    penalty: float
    """Chosen, as a multiple of the mean square of a row."""
    correlation: float
    """Of predictions for the fold that was left out with the labels, at that penalty."""
    gain: float
    """By which predictions are stretched to spread like labels, as the CCC wants it."""

    def __str__(self) -> str:
        return f"linear reading: r {self.correlation:.3f} for sessions left out, penalty {self.penalty:.2g}"


def fit_ridge(
    x: Float[Tensor, "rows features"],
    y: Float[Tensor, "rows"],
    fold: Int[Tensor, "rows"],
    n_folds: int,
    most_gain: float = MAX_GAIN,
) -> Ridge:
    """Ridge regression whose penalty is chosen by cross-validation over folds.

    Of the two closed forms the smaller is solved: over features, or over rows. A fold may have no rows.

    Raises:
        InputError: Fewer than two folds have rows.
    """
    if fold.unique().numel() < 2:
        raise InputError(
            "a linear reading is chosen by cross-validation over training sessions, or stretches of a single one, and "
            "this one is shorter than two windows; record more, make windows shorter, or set the floor to none"
        )
    mean = float(y.double().mean())
    centred = y.double() - mean
    over_rows = x.shape[0] < x.shape[1]
    gram = (x @ x.T if over_rows else x.T @ x).double()
    scale = float(x.square().sum(1).double().mean())
    outside = [torch.nonzero(fold != k)[:, 0] for k in range(n_folds)]
    inside = [torch.nonzero(fold == k)[:, 0] for k in range(n_folds)]

    def solve(k: int | None, penalty: float) -> Tensor | None:
        """Weights of the features, or of the rows that were used (0 for others); None beyond single precision."""
        rows = torch.arange(len(y)) if k is None else outside[k]
        if over_rows:
            part, right = gram[rows][:, rows], centred[rows]
        else:
            left_out = x[:0] if k is None else x[inside[k]]
            part, right = gram - (left_out.T @ left_out).double(), x[rows].T.double() @ centred[rows]
        part.diagonal().add_(penalty * scale)
        factor, failed = torch.linalg.cholesky_ex(part)
        if failed:
            return None
        solved = torch.cholesky_solve(right[:, None], factor)[:, 0]
        if not over_rows:
            return solved
        return torch.zeros(len(y), dtype=solved.dtype).index_copy(0, rows, solved)

    def judged(penalty: float) -> tuple[float, float, float]:
        """How predictions for folds that were left out correlate with the labels, the penalty, and their spread."""
        predicted = torch.empty_like(centred)
        for k, rows in enumerate(inside):
            solved = solve(k, penalty)
            if solved is None:
                return -1.0, penalty, 0.0
            predicted[rows] = (gram[rows] if over_rows else x[rows].double()) @ solved
        return _correlation(predicted, centred), penalty, float(predicted.std())

    _, best, _ = coarse = max(judged(penalty) for penalty in PENALTIES)
    correlation, penalty, spread = max(coarse, judged(best * 10**0.5), judged(best / 10**0.5))
    gain = min(float(centred.std()) / max(spread, SMALL), most_gain)
    solved = solve(None, penalty)
    if solved is None:
        raise InputError("no linear reading of these cues can be computed: are all of their values finite?")
    weights = gain * (x.T @ solved.to(x.dtype) if over_rows else solved.to(x.dtype))
    return Ridge(weights, mean, penalty, correlation, gain)


def _correlation(a: Tensor, b: Tensor) -> float:
    """0 where a series is constant."""
    a, b = a - a.mean(), b - b.mean()
    return float((a @ b) / (a.norm() * b.norm()).clamp_min(SMALL))


class LinearReading(nn.Module):
    """Engagement as a linear function of running means; its weights are fitted by `fit`, never by gradients.

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
        self.mean = nn.Parameter(torch.tensor(0.5), requires_grad=False)
        self.weights = nn.ParameterDict(
            {
                name: nn.Parameter(torch.randn(len(self.roles), self.kernels, width) / 100, requires_grad=False)
                for name, width in self.widths.items()
            }
        )

    def forward(
        self,
        cues: Mapping[str, Float[Tensor, "B P T _"]],
        valid: Mapping[str, Bool[Tensor, "B P T"]],
        present: Bool[Tensor, "B P"],
        memory: Memory | None = None,
    ) -> Float[Tensor, "B T"]:
        """Linear in the cues, and so not limited to [0, 1].

        Args:
            cues: Of everyone, target first.
            valid: Where they were observed.
            present: False for seats that pad the batch.
            memory: State of a stream.
        """
        total = self.mean
        for name, standardise in self.standardise.items():
            seen = valid[name] & present[..., None]
            for role, seats in enumerate(self.roles):
                if seen[:, seats].shape[1] == 0:  # there are no partners
                    continue
                x = standardise(cues[name][:, seats], seen[:, seats]).clamp(-LARGEST, LARGEST)
                mask = seen[:, seats].to(self.mean.dtype)
                projected = (x @ self.weights[name][role].T).sum(1)  # 0 where not seen
                number = mask.sum(1)[..., None].expand_as(projected)
                above, below = self._smooth(torch.stack((projected, number)), (name, role), memory)
                total = total + (above / (below + self.prior)).sum(-1)
        return total

    def _smooth(self, x: Float[Tensor, "2 B T kernels"], key: tuple[str, int], memory: Memory | None) -> Tensor:
        """Running sums: kernels of the past first, then those of the future."""
        n = len(self.keep)
        state = None if memory is None else memory.get(self, {}).get(key)
        past, state = running_sums(x[..., :n], self.keep, state)
        if memory is not None:
            memory[self] = {**memory.get(self, {}), key: state}
        if self.causal:
            return past
        future, _ = running_sums(x[..., n:].flip(2), self.keep, None)
        return torch.cat((past, future.flip(2)), dim=-1)

    def features(
        self,
        cues: Mapping[str, Float[Tensor, "B P T _"]],
        valid: Mapping[str, Bool[Tensor, "B P T"]],
        present: Bool[Tensor, "B P"],
        frames: Int[Tensor, "frames"],
    ) -> Float[Tensor, "B frames features"]:
        """Running means of every channel at some frames: what the weights multiply, in the order of `fit`."""
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

    @torch.no_grad()
    def fit(self, examples: Examples) -> Ridge:
        """Find the weights.

        Raises:
            InputError: Fewer than two folds have labels.
        """
        found = fit_ridge(*self.rows(examples), examples.folds)
        self.take(found)
        return found

    def rows(
        self, examples: Examples
    ) -> tuple[Float[Tensor, "rows features"], Float[Tensor, "rows"], Int[Tensor, "rows"]]:
        """Features, label and fold of the frames that a fit uses."""
        n_features = len(self.roles) * self.kernels * sum(self.widths.values())
        rows = min(MAX_ROWS, MAX_VALUES // n_features)
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

    @torch.no_grad()
    def take(self, found: Ridge) -> None:
        """Use the weights of a fit."""
        self.mean.fill_(found.mean)
        widths = [len(self.roles) * self.kernels * width for width in self.widths.values()]
        for (name, width), part in zip(self.widths.items(), found.weights.split(widths), strict=True):
            self.weights[name].copy_(part.view(len(self.roles), self.kernels, width))


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
