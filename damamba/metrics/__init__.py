"""Metrics of predicted engagement, one file each; `evaluate.metrics` in params.yaml names those that are computed."""

from damamba import plugins
from damamba.config import CONTINUOUS, METRICS, EvaluateParams, LabelParams, parse_section
from damamba.console import InputError
from damamba.metrics.base import ClassMetric, Metric
from damamba.metrics.ccc import MOMENTS, ccc, ccc_of_moments, session_moments

__all__ = ["MOMENTS", "ClassMetric", "Metric", "ccc", "ccc_of_moments", "find_each", "find_metrics", "session_moments"]


def find_metrics(params: EvaluateParams, labels: LabelParams = CONTINUOUS, several: bool = False) -> dict[str, Metric]:
    """Metrics by their short names, in the order of params.yaml: tables lead with the first.

    Args:
        params: Section `evaluate`.
        labels: The label that is scored.
        several: Whether the project has further labels: each is then scored by the metrics for its kind.

    Raises:
        InputError: There is no such metric, it compares labels of another kind, or one of its settings is unknown or
            out of range.
    """
    kinds: dict[str, type[Metric]] = {path: plugins.find(METRICS, path, Metric) for path in params.metrics}
    return {
        plugins.short(path): _made(kind, path, params, labels)
        for path, kind in kinds.items()
        if labels.kind in kind.kinds or not several
    }


def find_each(params: EvaluateParams, labels: LabelParams) -> dict[str, dict[str, Metric]]:
    """Label -> `find_metrics`, for all labels of the section `labels`."""
    every = labels.every
    return {name: find_metrics(params, label, len(every) > 1) for name, label in every.items()}


def _made(kind: type[Metric], path: str, params: EvaluateParams, labels: LabelParams) -> Metric:
    if labels.kind not in kind.kinds:
        raise InputError(
            f"params.yaml: evaluate.metrics: {path} compares {' or '.join(kind.kinds)} labels, and labels.kind is "
            f"{labels.kind}; name others, such as {'ccc' if labels.kind == 'continuous' else 'kappa'}"
        )
    settings = parse_section(kind.Params, params.settings(path), f"params.yaml: evaluate.{plugins.short(path)}")
    return kind(settings, labels.classes) if issubclass(kind, ClassMetric) else kind(settings)
