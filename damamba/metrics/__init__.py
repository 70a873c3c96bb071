"""Metrics of predicted engagement, one file each; `evaluate.metrics` in params.yaml names those that are computed."""

from damamba.config import METRICS, EvaluateParams, parse_section
from damamba.metrics.base import Metric
from damamba.metrics.ccc import MOMENTS, ccc, ccc_of_moments, session_moments
from damamba.plugins import find, short

__all__ = ["MOMENTS", "Metric", "ccc", "ccc_of_moments", "find_metrics", "session_moments"]


def find_metrics(params: EvaluateParams) -> dict[str, Metric]:
    """Metrics by their short names, in the order of params.yaml: tables lead with the first.

    Raises:
        InputError: There is no such metric, or one of its settings is unknown or out of range.
    """
    return {short(path): _with_settings(find(METRICS, path, Metric), path, params) for path in params.metrics}


def _with_settings(kind: type[Metric], path: str, params: EvaluateParams) -> Metric:
    return kind(parse_section(kind.Params, params.settings(path), f"params.yaml: evaluate.{short(path)}"))
