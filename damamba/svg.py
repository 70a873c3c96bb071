"""The palette of all figures, and SVG files that are reproducible and follow a light or dark page.

Figures are drawn in the light colours. A file on its own carries a style sheet that swaps them where the reader prefers
dark; in the report the colours become variables of the page.
"""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from damamba.digits import rounded, write_result

COLOURS = {
    "paper": ("#fffffe", "#15181d"),
    "ink": ("#20252c", "#e7e9ec"),
    "muted": ("#616a75", "#9aa4af"),
    "line": ("#d8dce1", "#313842"),
    "shade": ("#e9ecf0", "#262c34"),
    "blue": ("#0068b5", "#4ea8ec"),
    "orange": ("#d55e00", "#f08a3c"),
    "green": ("#12a078", "#3ecf9f"),
    "magenta": ("#b0478e", "#d77fc4"),
    "brown": ("#5b4a3f", "#d8cbbd"),
    "violet": ("#9585ee", "#8e7bef"),
}
"""Name -> light, dark. The last six are for series; they differ under the usual kinds of colour blindness too."""
SERIES = ("blue", "orange", "green", "magenta", "brown", "violet")
MARKERS = ("o", "s", "^", "D", "v", "P")
LARGEST_BYTES = 200_000
"""Of the picture of one session, as there are many."""
DECIMALS = 2
"""Of coordinates, px: a hundredth cannot be seen."""


def light(name: str) -> str:
    """Light variant of a colour of the palette, in which figures are drawn."""
    return COLOURS[name][0]


def series_style(number: int) -> tuple[str, str]:
    """Colour and marker of the series `number`: always both, so that series differ without colour too."""
    return light(SERIES[number % len(SERIES)]), MARKERS[(number + number // len(SERIES)) % len(MARKERS)]


@contextmanager
def house_style() -> Iterator[None]:
    """Matplotlib's settings for one figure."""
    settings: Any = {  # matplotlib types the keys of its settings one by one
        "svg.hashsalt": "damamba",
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 8.5,
        "axes.titlesize": 9.5,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.titlepad": 8,
        "axes.labelsize": 8.5,
        "axes.edgecolor": light("line"),
        "axes.labelcolor": light("muted"),
        "axes.titlecolor": light("ink"),
        "axes.facecolor": "none",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": light("line"),
        "grid.linewidth": 0.6,
        "xtick.color": light("line"),
        "ytick.color": light("line"),
        "xtick.labelcolor": light("muted"),
        "ytick.labelcolor": light("muted"),
        "text.color": light("ink"),
        "legend.frameon": False,
        "legend.labelcolor": light("ink"),
        "figure.facecolor": light("paper"),
        "lines.linewidth": 1.6,
        "lines.solid_capstyle": "round",
        "hatch.linewidth": 0.5,
        "path.simplify": False,  # which points it drops depends on their last digits
    }
    with mpl.rc_context(settings):
        yield


def save_svg(figure: Figure, path: Path) -> None:
    """Write `figure`, unless the file shows the same already (`damamba.digits`)."""
    write_result(path, svg_text(figure), DECIMALS)


def svg_text(figure: Figure) -> str:
    """`figure` as SVG: no date, no font files, rounded coordinates, and a style sheet for dark pages."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    text = stream.getvalue()
    text = re.sub(r"<!DOCTYPE[^>]*>\s*|<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = text.replace("'DejaVu Sans', ", "").replace("'DejaVu Sans'", "system-ui, 'DejaVu Sans', sans-serif")
    text = re.sub(r"<[a-z][^>]*>", lambda tag: _rounded_coordinates(tag[0]), text)
    return _numbered_ids(text).replace("<defs>", f"{_dark_style()}\n <defs>", 1)


def _rounded_coordinates(tag: str) -> str:
    if "base64," in tag:
        return tag
    return re.sub(r"-?\d+\.\d+", lambda number: f"{rounded(float(number[0]), DECIMALS):g}", tag)


def _numbered_ids(text: str) -> str:
    """Ids by their order: those of matplotlib are hashes of exact coordinates."""
    hashed = dict.fromkeys(re.findall(r'\bid="([A-Za-z_]\w*[0-9a-f]{10})"', text))
    short = {name: f"i{number}" for number, name in enumerate(hashed)}
    return re.sub(r'(\bid="|url\(#|href="#)(\w+)', lambda m: m[1] + short.get(m[2], m[2]), text)


def _dark_style() -> str:
    rules = "".join(
        f'[style*="{kind}: {ours}"]{{{kind}:{dark}!important}}'
        for ours, dark in COLOURS.values()
        for kind in ("fill", "stroke")
    )
    return f"<style>@media (prefers-color-scheme:dark){{{rules}}}</style>"


def inline_svg(path: Path) -> str:
    """An SVG file as part of a page: scalable, colours as variables of the page, its name in front of its ids."""
    text = path.read_text(encoding="utf8")
    text = text[text.index("<svg") :]
    text = re.sub(r"<style>@media.*?</style>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'\sxmlns(:xlink)?="[^"]*"', "", text)
    text = re.sub(r'(<svg [^>]*?)\swidth="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg [^>]*?)\sheight="[^"]*"', r"\1", text, count=1)
    for name, (ours, _) in COLOURS.items():
        text = text.replace(ours, f"var(--{name})")
    prefix = path.stem
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    text = re.sub(r"url\(#", f"url(#{prefix}-", text)
    return re.sub(r'href="#', f'href="#{prefix}-', text)
