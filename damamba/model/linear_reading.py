"""A linear reading of the cues: closed form, and hard to beat where few people meet wide cues.

Engagement is a ridge regression on running means of every channel.

The projection comes first and the smoothing second, which is the same, because both are linear: a frame costs a product
of its channels with a few vectors, and a stream has a state of a few numbers.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from damamba.console import InputError
from damamba.model.base import Examples, Statistics
from damamba.model.running_means import LARGEST, RunningMeans, running_sums
from damamba.model.stream_state import Memory

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Candidates, as multiples of the mean square of a row of features; then the best times and over the root of 10."""
MAX_GAIN = 3.0
SMALL = 1e-6


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
        return correlation_of(predicted, centred), penalty, float(predicted.std())

    _, best, _ = coarse = max(judged(penalty) for penalty in PENALTIES)
    correlation, penalty, spread = max(coarse, judged(best * 10**0.5), judged(best / 10**0.5))
    gain = min(float(centred.std()) / max(spread, SMALL), most_gain)
    solved = solve(None, penalty)
    if solved is None:
        raise InputError("no linear reading of these cues can be computed: are all of their values finite?")
    weights = gain * (x.T @ solved.to(x.dtype) if over_rows else solved.to(x.dtype))
    return Ridge(weights, mean, penalty, correlation, gain)


def correlation_of(a: Tensor, b: Tensor) -> float:
    """0 where a series is constant."""
    a, b = a - a.mean(), b - b.mean()
    return float((a @ b) / (a.norm() * b.norm()).clamp_min(SMALL))


class LinearReading(RunningMeans):
    """Engagement as a linear function of running means; its weights are fitted by `fit`, never by gradients."""

    def __init__(
        self, widths: Mapping[str, int], rate_hz: int, statistics: Statistics | None, partners: bool, causal: bool
    ) -> None:
        super().__init__(widths, rate_hz, statistics, partners, causal)
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

    @torch.no_grad()
    def fit(self, examples: Examples) -> Ridge:
        """Find the weights.

        Raises:
            InputError: Fewer than two folds have labels.
        """
        found = fit_ridge(*self.rows(examples), examples.folds)
        self.take(found)
        return found

    @torch.no_grad()
    def take(self, found: Ridge) -> None:
        """Use the weights of a fit."""
        self.mean.fill_(found.mean)
        widths = [len(self.roles) * self.kernels * width for width in self.widths.values()]
        for (name, width), part in zip(self.widths.items(), found.weights.split(widths), strict=True):
            self.weights[name].copy_(part.view(len(self.roles), self.kernels, width))
