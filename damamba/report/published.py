"""Numbers of others, and the names that they use; typed in ``published.yaml`` and nowhere else."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

GLOBAL = "global"
"""Beside the corpora in every table of scores: their mean."""


@cache
def published() -> dict[str, Any]:
    """What ``published.yaml`` holds."""
    return yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf8"))


def corpus_title(name: str) -> str:
    """As papers write it; a corpus of your own keeps its name."""
    return published()["ccc"]["columns"].get(name, name)
