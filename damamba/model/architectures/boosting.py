"""Gradient-boosted trees on running means of all cues, of the target and of the partners.

Trees can follow bends and products, which a ridge cannot; where they score no better, the labels hardly need these.
scikit-learn grows them on the running means that correlate most with the labels; they are kept as tensors.

Source: Friedman 2001, "Greedy function approximation: a gradient boosting machine".
"""

from collections.abc import Mapping
from typing import Annotated, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor, nn

from damamba.config import Section
from damamba.console import InputError
from damamba.model.base import EngagementModel, Examples, Output, Statistics
from damamba.model.heads import Classes, Start, as_probabilities
from damamba.model.linear_reading import MAX_GAIN, SMALL, correlation_of
from damamba.model.running_means import RunningMeans


class BoostingParams(Section):
    """Settings of the trees; how many are used is chosen by cross-validation over training sessions."""

    trees: Annotated[int, Field(ge=1, le=2000)]
    """At most."""
    leaves: Annotated[int, Field(ge=2, le=255)]
    """Of a tree at most."""
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    """Share of each tree's step."""
    features: Annotated[int, Field(ge=1)]
    """Running means that the trees see: those that correlate most with the labels."""
    partner_fusion: bool
    """Whether the partners are read as well."""
    causal: bool
    """Means over the past alone."""


class Grown(NamedTuple):
    """Trees of one output."""

    nodes: list[np.ndarray]
    """scikit-learn's, a tree each."""
    begin: float
    gain: float
    """By which the sum of the trees is stretched to spread like labels, as the CCC wants it."""
    correlation: float
    """Of predictions for sessions left out with the labels."""


class Boosting(EngagementModel[BoostingParams]):
    """Arguments, call and errors: `EngagementModel`, `build_model`. No weight is left to train after `begin`."""

    Params = BoostingParams
    kinds = ("continuous", "ordinal", "categorical")

    def __init__(
        self,
        cues: Mapping[str, Mapping[str, int]],
        params: BoostingParams,
        rate_hz: int,
        statistics: Statistics | None = None,
        label_mean: Start = 0.5,
    ) -> None:
        super().__init__(cues, params, rate_hz, statistics, label_mean)
        self.means = RunningMeans(self.widths, rate_hz, statistics, params.partner_fusion, params.causal)
        self.outputs = len(self.classes.names) if self.classes else 1
        chosen = min(params.features, self.means.n_features)
        start = label_mean.shares if isinstance(label_mean, Classes) else (label_mean,)
        nodes = self.outputs, params.trees, 2 * params.leaves - 1
        self.features: Tensor
        """(chosen,) numbers of the running means that the trees see."""
        self.value: Tensor
        """(outputs, trees, nodes) of a leaf, with learning rate and gain; 0 elsewhere."""
        self.threshold: Tensor
        """(outputs, trees, nodes) up to which a value leads to the left."""
        self.feature: Tensor
        """(outputs, trees, nodes) column that a node compares."""
        self.left: Tensor
        self.right: Tensor
        """(outputs, trees, nodes) that follow; a leaf leads to itself."""
        self.depth: Tensor
        """() steps from the root to the deepest leaf."""
        self.begins = nn.Parameter(torch.tensor(start).float(), requires_grad=False)
        """(outputs,) predictions without any tree."""
        self.register_buffer("features", torch.arange(chosen))
        for name in ("value", "threshold"):
            self.register_buffer(name, torch.zeros(nodes))
        for name in ("feature", "left", "right"):
            self.register_buffer(name, torch.zeros(nodes, dtype=torch.long))
        self.register_buffer("depth", torch.zeros((), dtype=torch.long))

    def begin(self, examples: Examples) -> str | None:
        """Grow all of it; raises `InputError` where fewer than two folds have labels."""
        x, y, fold = self.means.rows(examples)
        if fold.unique().numel() < 2:
            raise InputError(
                "the number of trees is chosen by cross-validation over training sessions, or stretches of a single "
                "one, and this one is shorter than two windows; record more, or make windows shorter"
            )
        targets = [y == k for k in range(self.outputs)] if self.classes else [y]
        targets = [target.double() for target in targets]
        related = torch.stack([_correlations(x, target) for target in targets]).amax(0)
        chosen = related.topk(len(self.features)).indices.sort().values
        self.features.copy_(chosen)
        found = [self._grow(x[:, chosen].numpy(), target.numpy(), fold.numpy()) for target in targets]
        for output, grown in enumerate(found):
            self.begins[output] = grown.begin
            for tree, nodes in enumerate(grown.nodes):
                self._take(output, tree, nodes, grown.gain)
        self.depth.fill_(max(int(nodes["depth"].max()) for grown in found for nodes in grown.nodes))
        shown = ", ".join(f"{grown.correlation:.3f} ({len(grown.nodes)} trees)" for grown in found)
        return f"boosted trees: r {shown} for sessions left out"

    def _grow(self, x: np.ndarray, y: np.ndarray, fold: np.ndarray) -> Grown:
        from sklearn.ensemble import HistGradientBoostingRegressor

        def fit(rows: np.ndarray, trees: int) -> HistGradientBoostingRegressor:
            return HistGradientBoostingRegressor(
                learning_rate=self.params.learning_rate,
                max_iter=trees,
                max_leaf_nodes=self.params.leaves,
                early_stopping=False,  # pyright: ignore[reportArgumentType]
                random_state=0,
            ).fit(x[rows], y[rows])

        left_out = np.empty((self.params.trees, len(y)))
        for k in np.unique(fold):
            staged = fit(fold != k, self.params.trees).staged_predict(x[fold == k])
            left_out[:, fold == k] = np.stack(list(staged))
        each = [correlation_of(torch.from_numpy(series), torch.from_numpy(y)) for series in left_out]
        best = int(np.argmax(each))
        model = fit(np.ones(len(y), bool), best + 1)
        spread = max(float(left_out[best].std()), SMALL)
        # probabilities are not stretched to spread like labels
        gain = 1.0 if self.classes else min(float(y.std()) / spread, MAX_GAIN)
        nodes = [predictors[0].nodes for predictors in model._predictors]
        return Grown(nodes, float(np.ravel(model._baseline_prediction)[0]), gain, each[best])

    def _take(self, output: int, tree: int, nodes: np.ndarray, gain: float) -> None:
        n, leaf = len(nodes), nodes["is_leaf"].astype(bool)
        here = np.arange(n)
        for name, values in (
            ("value", np.where(leaf, gain * nodes["value"], 0)),
            ("feature", np.where(leaf, 0, nodes["feature_idx"])),
            ("threshold", np.where(leaf, 0, nodes["num_threshold"])),
            ("left", np.where(leaf, here, nodes["left"])),
            ("right", np.where(leaf, here, nodes["right"])),
        ):
            kept = getattr(self, name)
            kept[output, tree, :n] = torch.from_numpy(values.astype(np.float64)).to(kept.dtype)

    def forward(
        self,
        cues: Mapping[str, Float[Tensor, "B P T _"]],
        valid: Mapping[str, Bool[Tensor, "B P T"]],
        present: Bool[Tensor, "B P"],
    ) -> Output:
        """Engagement of participant 0 at every frame; arguments as of `DAMamba.forward`."""
        x = self.means.chosen(cues, valid, present, self.features)
        read = torch.stack([self._sum(x, output) for output in range(self.outputs)], dim=-1)
        return Output(as_probabilities(read) if self.classes else read[..., 0].clamp(0, 1), {})

    def _sum(self, x: Float[Tensor, "B T chosen"], output: int) -> Float[Tensor, "B T"]:
        """Of the leaves that a frame reaches in all trees."""
        total = self.begins[output].expand(x.shape[:2]).clone()
        for tree in range(self.params.trees):
            nodes = (output, tree)
            at = torch.zeros(x.shape[:2], dtype=torch.long, device=x.device)
            for _ in range(int(self.depth)):
                compared = x.gather(-1, self.feature[nodes][at][..., None])[..., 0]
                at = torch.where(compared <= self.threshold[nodes][at], self.left[nodes][at], self.right[nodes][at])
            total += self.value[nodes][at]
        return total


def _correlations(x: Float[Tensor, "rows features"], y: Float[Tensor, "rows"]) -> Float[Tensor, "features"]:
    """Size of the correlation of each column with the label; 0 where it is constant."""
    x, y = x - x.mean(0), (y - y.mean()).to(x.dtype)
    return ((x.T @ y) / (x.norm(dim=0) * y.norm()).clamp_min(SMALL)).abs()
