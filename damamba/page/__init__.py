"""Pages of one HTML file that need nothing beside them: a template with its style sheet, its script and its data.

Both pages draw sessions over time with `curves.js`, on uPlot: 25 values a second of half an hour at any zoom, in 50 kB
without further dependencies. Its files in ``uplot/`` are those of the package uplot 1.6.32, unchanged.
"""

import base64
import json
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

HERE = Path(__file__).parent
SCALE = 10_000
"""Steps of a packed series per unit; as many decimals as the CSV files have."""
MISSING = -(2**15)


def page(folder: Path, name: str, filters: Mapping[str, Callable[..., Any]] | None = None, **values: Any) -> str:
    """Render ``NAME.html.j2`` of a folder; ``NAME.css`` and ``NAME.js`` beside it are its `style` and `script`.

    The style sheet and the script of `curves.js` and uPlot come before them.

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
    licence = f"/* uPlot\n{_text(HERE / 'uplot/LICENSE')}*/"
    library = _text(HERE / "uplot/uPlot.iife.min.js").partition("*/")[2]  # its banner is an address; the licence stays
    styles = [HERE / "uplot/uPlot.min.css", HERE / "curves.css", folder / f"{name}.css"]
    scripts = [licence, library, _text(HERE / "curves.js"), _text(folder / f"{name}.js")]
    return environment.get_template(f"{name}.html.j2").render(
        style=Markup("\n".join(map(_text, styles))), script=Markup("\n".join(scripts)), **values
    )


def _text(path: Path) -> str:
    return path.read_text(encoding="utf8")


def script_data(data: Any) -> Markup:
    """JSON for a ``script`` element: no text in it ends the element."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))


def packed(values: np.ndarray) -> str:
    """A series in [-3, 3] for `curves.js`: ten thousandths, their differences, compressed, in base64; NaN is kept."""
    known = np.isfinite(values)
    steps = np.where(known, np.round(np.where(known, values, 0).astype(np.float64) * SCALE), MISSING).astype("<i2")
    changes = np.diff(steps, prepend=np.int16(0))  # in 16 bits, where it wraps round as it does in the page
    planes = changes.astype("<i2").view(np.uint8).reshape(-1, 2).T
    return _deflated(planes.tobytes())


def packed_text(text: str) -> str:
    """A text for `curves.js`, compressed, in base64."""
    return _deflated(text.encode())


def _deflated(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content, 9)).decode("ascii")
