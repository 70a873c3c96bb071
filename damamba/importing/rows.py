"""From the rows of a feature file to streams of the project: one person each, on a clock."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from damamba.console import InputError
from damamba.importing.clock import Clock, measure
from damamba.importing.feature_file import FeatureFile, complete
from damamba.streams.stream import FeatureStream
from damamba.text import some

FACES = "each"
"""Value of --face that makes one participant a face."""
LATEST_S = 1e11
"""Times of day as ms since 1970 are below this; beyond, float64 holds no milliseconds."""
SHORTEST_STEP_S = 1e-6
"""Rows closer than this are two rows of one time."""


@dataclass(frozen=True)
class Timing:
    """Choices about the clock."""

    rate_hz: float | None = None
    """Rate of rows or frames, instead of the times in the file, Hz."""
    start_s: float = 0.0
    """Time of the file's zero in the session, s."""
    length_s: float | None = None
    """Length of the recording, s; None: up to the last row."""


@dataclass(frozen=True)
class Imported:
    """A stream of one person, and its clock."""

    stream: FeatureStream
    face: str
    """"" where the file shows one person."""
    clock: Clock


def people(file: FeatureFile, face: str | None) -> Iterator[tuple[str, FeatureFile]]:
    """The rows of each person who is wanted.

    Args:
        file: As read.
        face: Who is wanted; `FACES`: everybody; None: the only one.

    Raises:
        InputError: There are several, and none is named; or there is no such one.
    """
    if file.face is None:
        if face not in (None, FACES):
            raise InputError(f"{file.path}: shows one person, but --face {face} is asked for; leave --face out")
        yield "", file
        return
    counts = Counter(str(one) for one in file.face)
    if face is None and len(counts) > 1:
        shown = some(f"{name} ({n} rows)" for name, n in counts.most_common())
        raise InputError(
            f"{file.path}: {len(counts)} faces in it: {shown}; take one with --face {next(iter(counts))}, or make one "
            f"participant a face with --face {FACES}"
        )
    if face not in (None, FACES, *counts):
        raise InputError(f"{file.path}: no face {face!r}; there are {some(counts)}")
    for name in sorted(counts) if face == FACES else [face or next(iter(counts))]:
        mine = np.array([str(one) == name for one in file.face])
        cut = {
            key: value[mine]
            for key in ("x", "valid", "score", "t_s", "frame")
            if (value := getattr(file, key)) is not None
        }
        yield name if face == FACES else "", replace(file, **cut, face=None, first_line=0)


def on_clock(file: FeatureFile, timing: Timing, face: str = "") -> Imported:
    """A person's rows as a stream.

    Raises:
        InputError: There is no time, times run backwards, or rows go on after the end of the recording.
    """
    t_s = _times_s(file, timing) + timing.start_s
    possible = np.abs(t_s) < LATEST_S  # false for no number too
    if not possible.all():
        row = int(np.argmin(possible))
        raise InputError(
            f"{file.where(row)}: its time is {t_s[row]:g} s; correct it, or give its unit (--time-unit ms)"
        )
    steps = np.diff(t_s)
    if len(steps) and steps.min() < SHORTEST_STEP_S:
        row = int(np.argmax(steps < SHORTEST_STEP_S)) + 1
        what = "times run backwards" if steps[row - 1] < 0 else "two rows have one time"
        raise InputError(
            f"{file.where(row)}: {what}: {t_s[row]:.6g} s after {t_s[row - 1]:.6g} s; correct the times or, if "
            "the rows come at one rate, place them by it with --rate-hz"
        )
    clock = measure(t_s)
    if clock is None:
        raise InputError(f"{file.path}: {len(t_s)} row in it; a stream has at least two")
    rate_hz = timing.rate_hz if timing.rate_hz and file.frame is None else clock.nominal_hz
    x, valid = file.x, file.valid & complete(file.x)
    score = np.ones(len(x), np.float32) if file.score is None else file.score
    if timing.length_s is not None:
        if t_s[-1] > timing.length_s:
            raise InputError(f"{file.path}: its last row is at {t_s[-1]:.2f} s, after --length-s {timing.length_s:g}")
        last_s = timing.length_s - 1 / rate_hz
        if last_s > t_s[-1] + 0.5 / rate_hz:  # a row that is not valid stands for the end of the recording
            t_s, valid, score = np.append(t_s, last_s), np.append(valid, False), np.append(score, np.float32(0))
            x = np.concatenate([x, np.full((1, x.shape[1]), np.nan, np.float32)])
    x[~valid] = np.nan
    stream = FeatureStream(
        t_s=t_s.astype(np.float64),
        x=x,
        valid=valid,
        score=np.where(valid, score, np.float32(0)),
        rate_hz=float(rate_hz),
        channels=file.channels,
        extractor="import",
        checkpoint=file.format,
        note="" if clock.regular else "irregular times",
    )
    return Imported(stream, face, clock)


def _times_s(file: FeatureFile, timing: Timing) -> np.ndarray:
    rate_hz = timing.rate_hz or (file.rate_hz if file.t_s is None else None)
    if rate_hz:
        return (np.arange(len(file.x)) if file.frame is None else file.frame) / rate_hz
    if file.t_s is not None:
        return file.t_s
    counted = (
        "it numbers the frames of a video: give that video's rate" if file.frame is not None else "give their rate"
    )
    raise InputError(
        f"{file.path}: no column of times, such as time or timestamp_ms, for its {len(file.x)} rows; {counted} with "
        "--rate-hz, or name the column with --time"
    )
