"""The house palette, and SVG files that are the same bytes for the same numbers and follow a light or dark page.

Figures are drawn in the light colours. A file on its own carries a style sheet that swaps them where the reader prefers
dark; in the report the colours become variables of the page.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from damamba.files import whole_file

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
"""Name -> light, dark. The last six tell series apart, for people with any of the usual kinds of colour vision too."""
SERIES = ("blue", "orange", "green", "magenta", "brown", "violet")
MARKERS = ("o", "s", "^", "D", "v", "P")
LARGEST_BYTES = 200_000
"""Of a picture of one session: there are many."""


def light(name: str) -> str:
    """A colour of the palette, as figures are drawn."""
    return COLOURS[name][0]


def series_style(number: int) -> tuple[str, str]:
    """Colour and marker of the series `number`: always both, so that nobody has to see the colour."""
    return light(SERIES[number % len(SERIES)]), MARKERS[(number + number // len(SERIES)) % len(MARKERS)]


@contextmanager
def house_style(name: str) -> Iterator[None]:
    """Matplotlib's settings for one figure; `name` salts its ids, so that figures can share a page."""
    settings: Any = {  # matplotlib types the keys of its settings one by one
        "svg.hashsalt": f"damamba-{name}",
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
        "path.simplify_threshold": 0.2,
    }
    with mpl.rc_context(settings):
        yield


def save_svg(figure: Figure, path: Path) -> None:
    """Write `figure`: no date, no machine, no font files, and a style sheet for dark pages."""
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="svg", metadata={"Date": None})
        text = temporary.read_text(encoding="utf8")
        text = re.sub(r"<!DOCTYPE[^>]*>\s*|<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
        text = text.replace("'DejaVu Sans', ", "").replace("'DejaVu Sans'", "system-ui, 'DejaVu Sans', sans-serif")
        temporary.write_text(text.replace("<defs>", f"{_dark_style()}\n <defs>", 1), encoding="utf8")


def _dark_style() -> str:
    rules = "".join(
        f'[style*="{kind}: {ours}"]{{{kind}:{dark}!important}}'
        for ours, dark in COLOURS.values()
        for kind in ("fill", "stroke")
    )
    return f"<style>@media (prefers-color-scheme:dark){{{rules}}}</style>"


def inline_svg(path: Path) -> str:
    """An SVG file as a piece of a page: scalable, colours as the page's variables, ids of its own."""
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
