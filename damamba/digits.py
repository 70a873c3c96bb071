"""Files of results hold the digits that they mean, and a machine whose last digits differ changes none of them.

Two machines train to predictions that differ by about 1e-6. Rounding hides that, except where a number lies at the edge
between two roundings: of the few thousand numbers of a demo, about a dozen do. So a file is left alone where it already
holds the same numbers to within one unit of their last digit.
"""

import json
import re
from pathlib import Path
from typing import Any

from damamba.files import replace_file

DECIMALS = 4
"""Of scores and statistics: with a handful of sessions, not even the second one is certain."""
RELATIVE = 1e-4
"""Of numbers above 1, as scores are below."""
NUMBER = re.compile(r"(-?\d+(?:\.\d+)?)")


def rounded(value: Any, decimals: int = DECIMALS) -> Any:
    """A number, or every number of nested dictionaries and lists, rounded; whole numbers and text stay as they are."""
    if isinstance(value, dict):
        return {key: rounded(inner, decimals) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner, decimals) for inner in value]
    return round(value, decimals) + 0.0 if isinstance(value, float) else value  # + 0.0: no minus zero


def near(old: str, new: str, decimals: int = DECIMALS, slack: float | None = None, relative: float = RELATIVE) -> bool:
    """Whether a number on file is rounded to `decimals` and differs from a new one by no more than `slack`.

    Args:
        old: As written on file.
        new: As it would be written now.
        decimals: Of both.
        slack: Where it is None: one unit of the last decimal, or the share `relative` of a large number.
        relative: See `slack`.
    """
    if len(old.partition(".")[2]) > decimals:
        return False
    before, after = float(old), float(new)
    return abs(before - after) <= (max(1.01 * 10**-decimals, relative * abs(before)) if slack is None else slack)


def same_results(old: str, new: str, decimals: int = DECIMALS, relative: float = RELATIVE) -> bool:
    """Whether two texts differ in nothing but decimal fractions, and these are `near` to each other."""
    before, after = NUMBER.split(old), NUMBER.split(new)
    return before[::2] == after[::2] and all(
        a == b or ("." in a + b and near(a, b, decimals, relative=relative))
        for a, b in zip(before[1::2], after[1::2], strict=True)
    )


def json_text(record: Any, decimals: int = DECIMALS) -> str:
    """A record as JSON, rounded."""
    return json.dumps(rounded(record, decimals), indent=1, allow_nan=False) + "\n"


def write_result(path: Path, text: str, decimals: int = DECIMALS, relative: float = RELATIVE) -> None:
    """Write a text whose numbers are rounded to `decimals`, unless `path` holds the same results already."""
    if path.is_file() and same_results(path.read_text(encoding="utf8", errors="replace"), text, decimals, relative):
        return
    replace_file(path, text.encode())
