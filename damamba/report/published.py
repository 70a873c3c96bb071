"""Numbers that others published, and their names of the corpora; they stand in ``published.yaml`` alone."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml


@cache
def published() -> dict[str, Any]:
    """What ``published.yaml`` holds."""
    return yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf8"))


def corpus_title(name: str) -> str:
    """Name of a corpus, or of Global, as papers write it; a corpus of your own keeps its name."""
    return published()["ccc"]["columns"].get(name, name)


def session_title(corpus: str, session: str) -> str:
    """Name of a session in figures."""
    return f"{corpus_title(corpus)} · {session}"
