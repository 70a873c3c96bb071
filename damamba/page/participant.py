"""What `curves.js` draws of one participant."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from damamba.page import packed


def participant_data(
    name: str,
    curves: Sequence[tuple[str, str, np.ndarray]],
    missing: Mapping[str, Sequence[tuple[int, int]]],
    contributions: Mapping[str, np.ndarray],
    sound: tuple[int, np.ndarray, Sequence[tuple[float, float]]] | None,
    video: str = "",
    role: str = "",
    **scores: float | None,
) -> dict[str, Any]:
    """One participant of a session, for the JSON of a page.

    Args:
        name: As shown.
        curves: Name, colour of the palette and series (L,) of each; NaN is a gap.
        missing: Cue -> [start, stop) frames without it.
        contributions: Cue or partner -> (seconds,) what it adds.
        sound: Rate in Hz, peaks (n,) and turns [start, stop) in s; None without sound.
        video: Link, from `link_to`; "" without one.
        role: Where it is another word than the name.
        scores: ``ccc`` and ``ccc_within``, where there are labels.
    """
    return {
        "name": name,
        "role": role if role != name else "",
        **scores,
        "video": video,
        "curves": [{"name": title, "colour": colour, "packed": packed(values)} for title, colour, values in curves],
        "missing": missing,
        "contributions": {part: packed(values) for part, values in contributions.items()},
        "sound": sound and {"rate_hz": sound[0], "packed": packed(sound[1]), "turns": sound[2]},
    }


def link_to(file: Path, folder: Path) -> str:
    """Link from a page in `folder` to a file, for browsers."""
    return quote(Path(os.path.relpath(file.resolve(), folder.resolve())).as_posix())
