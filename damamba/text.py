"""Tables and quantities for a terminal."""

import re
from collections.abc import Iterable, Sequence
from shlex import quote

MISSING = "–"
PLAIN_VALUE = re.compile(r"[A-Za-z/][A-Za-z0-9/._-]*")
HYDRA_WORDS = ("null", "true", "false", "nan", "inf")
"""Not texts for Hydra unless quoted."""


def columns(header: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> list[str]:
    """Lines of a table; all columns but the first `left` are aligned to the right."""
    cells = [header, *rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = []
    for row in cells:
        padded = (c.ljust(w) if i < left else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        lines.append("  ".join(padded).rstrip())
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]


def number(value: float | None, signed: bool = False) -> str:
    """Three decimals; a dash where undefined."""
    return MISSING if value is None else f"{value:{'+' if signed else ''}.3f}"


def size(n_bytes: float) -> str:
    """1.5 GiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} {unit}" if unit == "B" or n_bytes >= 100 else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1024
    return f"{n_bytes:.2f} TiB"


def duration(seconds: float) -> str:
    """48 s, 12 min or 3.4 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def some(names: Iterable[str], most: int = 6) -> str:
    """The first few names, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def shell_path(path: str) -> str:
    """A path as an argument of a command: quoted, and never an option or the name of a protocol."""
    odd = path.startswith(("-", "~")) or ":" in path.partition("/")[0]
    return quote(f"./{path}" if odd else path)


def override(key: str, value: str) -> str:
    """``key=value`` as an argument of ``dvc exp run -S``, quoted for the shell and for Hydra's grammar."""
    if PLAIN_VALUE.fullmatch(value) and value.lower() not in HYDRA_WORDS:
        return f"{key}={value}"
    plain = re.sub(r"(\\*)\$\{", lambda found: found[1] * 2 + r"\${", value)
    escaped = re.sub(r'(\\*)"', lambda found: found[1] * 2 + r"\"", plain)
    escaped = re.sub(r"\\+$", lambda found: found[0] * 2, escaped)
    return quote(f'{key}="{escaped}"')
