"""Pages of one HTML file that need nothing beside them: a template with its style sheet, its script and its data."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

THOUSANDTHS = 1000


def page(folder: Path, name: str, filters: Mapping[str, Callable[..., Any]] | None = None, **values: Any) -> str:
    """Render ``NAME.html.j2`` of a folder; ``NAME.css`` and ``NAME.js`` beside it are its `style` and `script`.

    Args:
        folder: Where the three files are.
        name: Of the files.
        filters: Further filters of the template.
        values: Names in the template. Text is escaped, `Markup` is not.
    """
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= filters or {}
    return environment.get_template(f"{name}.html.j2").render(
        style=Markup((folder / f"{name}.css").read_text(encoding="utf8")),
        script=Markup((folder / f"{name}.js").read_text(encoding="utf8")),
        **values,
    )


def script_data(data: Any) -> Markup:
    """JSON for a ``script`` element: no text in it ends the element."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))


def thousandths(values: np.ndarray) -> list[int]:
    """A series in [0, 1] as whole thousandths, short in a page; -1 stands for NaN."""
    known = np.isfinite(values)
    return np.where(known, np.round(np.where(known, values, 0) * THOUSANDTHS), -1).astype(int).tolist()
