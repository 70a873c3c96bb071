"""A linear reading of classes: one ridge regression a class on whether it was annotated, all on the same features."""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from damamba.model.base import Examples, Statistics
from damamba.model.heads import Classes, Start, also_of, as_probabilities, main_of
from damamba.model.linear_reading import LinearReading, fit_ridge
from damamba.model.stream_state import Memory


class ClassReading(nn.Module):
    """Probabilities of classes, one-vs-rest; arguments as of `LinearReading`."""

    def __init__(
        self,
        widths: Mapping[str, int],
        rate_hz: int,
        statistics: Statistics | None,
        partners: bool,
        causal: bool,
        classes: Classes,
    ) -> None:
        super().__init__()
        self.readings = nn.ModuleList(
            [LinearReading(widths, rate_hz, statistics, partners, causal) for _ in classes.names]
        )
        for reading, share in zip(self.readings, classes.shares, strict=True):
            assert isinstance(reading, LinearReading)
            nn.init.constant_(reading.mean, share)

    def forward(
        self,
        cues: Mapping[str, Float[Tensor, "B P T _"]],
        valid: Mapping[str, Bool[Tensor, "B P T"]],
        present: Bool[Tensor, "B P"],
        memory: Memory | None = None,
    ) -> Float[Tensor, "B T K"]:
        """Positive, with a sum of 1; arguments as of `LinearReading`."""
        read = [reading(cues, valid, present, memory) for reading in self.readings]
        return as_probabilities(torch.stack(read, dim=-1))

    @torch.no_grad()
    def fit(self, examples: Examples) -> str:
        """Find the weights; errors as of `LinearReading.fit`."""
        first = self.readings[0]
        assert isinstance(first, LinearReading)
        x, y, fold = first.rows(examples)
        correlations = []
        for k, reading in enumerate(self.readings):
            assert isinstance(reading, LinearReading)
            # probabilities are not stretched to spread like labels
            found = fit_ridge(x, (y == k).float(), fold, examples.folds, most_gain=1.0)
            reading.take(found)
            correlations.append(found.correlation)
        shown = ", ".join(f"{r:.3f}" for r in correlations)
        return f"linear reading, one class against the others: r {shown} for sessions left out"


def make_reading(
    widths: Mapping[str, int], rate_hz: int, statistics: Statistics | None, partners: bool, causal: bool, start: Start
) -> LinearReading | ClassReading:
    """The linear reading that labels of this kind need; of several, that of the first."""
    start = main_of(start)
    if isinstance(start, Classes):
        return ClassReading(widths, rate_hz, statistics, partners, causal, start)
    return LinearReading(widths, rate_hz, statistics, partners, causal)


def other_readings(
    widths: Mapping[str, int], rate_hz: int, statistics: Statistics | None, partners: bool, causal: bool, start: Start
) -> nn.ModuleDict:
    """A reading for each further label; empty for one label."""
    reading = widths, rate_hz, statistics, partners, causal
    return nn.ModuleDict({name: make_reading(*reading, each) for name, each in also_of(start).items()})


def fit_each(main: LinearReading | ClassReading, others: nn.ModuleDict, examples: Examples) -> str:
    """Fit the readings of all labels; errors as of `LinearReading.fit`."""
    lines = [str(main.fit(examples))]
    for name, reading in others.items():
        assert isinstance(reading, LinearReading | ClassReading)
        lines.append(f"{name}: {reading.fit(examples.of_label(name))}")
    return "; ".join(lines)
