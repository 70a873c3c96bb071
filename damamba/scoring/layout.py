"""Where the metrics stand in files of results.

Values of ``ccc``, the challenge's metric, stand at the top of a record and in columns without a prefix; those of every
other metric stand under its name. So a further metric adds keys and changes none.
"""

from collections.abc import Mapping
from typing import Any

TOP = "ccc"
MISSING = "(missing)"
"""Stands for the value of those who have none, in scores by a column of the manifest."""


def join_metrics(records: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """One record of the records of all metrics."""
    return {**records.get(TOP, {}), **{name: record for name, record in records.items() if name != TOP}}


def of_metric(record: Mapping[str, Any], metric: str) -> Mapping[str, Any]:
    """The part of a record that holds a metric's values."""
    return record if metric == TOP else record[metric]


def column(metric: str, name: str) -> str:
    """Name of a metric's column in a CSV file."""
    return name if metric == TOP else f"{metric}.{name}"
