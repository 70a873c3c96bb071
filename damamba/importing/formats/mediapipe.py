"""MediaPipe's results as JSON: a list of frames, a line each, or a list under ``frames``.

A frame has a time (``timestamp_ms``, ``timestamp``, ``time``, ``t_s`` …) and the lists of its result:
``face_blendshapes`` with ``category_name`` and ``score``; ``face_landmarks``, ``pose_landmarks`` with ``x``, ``y``,
``z``; spelt as in Python or as in JavaScript. They hold one entry a person; a frame where they are empty is not valid.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from damamba.console import InputError
from damamba.importing.feature_file import FeatureFile, ReadOptions, complete
from damamba.importing.formats.base import TIMES, Format
from damamba.importing.table import Table

KINDS = ("faceblendshapes", "facelandmarks", "poselandmarks")


class MediaPipe(Format):
    """Blendshapes in [0, 1]; landmarks as shares of the picture."""

    title, suffixes = "MediaPipe", (".json", ".jsonl", ".ndjson")

    def recognises(self, path: Path, table: Table | None) -> bool:
        """By the suffix: no other JSON is read."""
        return True

    def read(self, path: Path, table: Table | None, options: ReadOptions) -> FeatureFile:
        """One row for each person and frame; a frame without people gives one row that is not valid."""
        rows: list[tuple[float | None, int, str, dict[str, float]]] = []
        for number, frame in enumerate(_frames(path)):
            plain = {re.sub(r"[^a-z]", "", key.lower()): value for key, value in frame.items()}
            unit = next((key for key in plain if key in TIMES), None)
            time = _time_s(path, number, plain[unit], options.unit_s or TIMES[unit]) if unit else None
            people = _people(path, number, plain)
            rows += [(time, number, str(face), values) for face, values in enumerate(people or [{}])]
        channels = list(dict.fromkeys(name for row in rows for name in row[3] if name not in options.drop))
        if not channels:
            raise InputError(f"{path}: no person in any of {len(rows)} frames; expected face_blendshapes or landmarks")
        untimed = [row[0] is None for row in rows]
        if any(untimed) and not all(untimed):
            raise InputError(f"{path}: frame {rows[untimed.index(True)][1]} has no time, but others have; correct it")
        x = np.array([[row[3].get(name, np.nan) for name in channels] for row in rows], np.float32)
        faces = np.array([row[2] for row in rows], object)
        return FeatureFile(
            path, self.title, "mediapipe", "visual", tuple(channels), x, complete(x),
            t_s=None if any(untimed) else np.array([row[0] for row in rows], np.float64),
            frame=np.array([row[1] for row in rows], np.float64),
            face=faces if len(set(faces)) > 1 else None,
        )  # fmt: skip


def _frames(path: Path) -> Iterator[Mapping[str, Any]]:
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    if not text.strip():
        raise InputError(f"{path}: empty; expected MediaPipe's results, one a frame")
    try:
        whole = json.loads(text)
        frames = whole.get("frames", [whole]) if isinstance(whole, dict) else whole
    except (json.JSONDecodeError, RecursionError) as error:
        try:
            frames = [json.loads(line) for line in text.splitlines() if line.strip()]
        except (json.JSONDecodeError, RecursionError):
            line = getattr(error, "lineno", 1)
            raise InputError(f"{path}, line {line}: not JSON; the file may be cut off: make it again") from None
    if not isinstance(frames, list) or not all(isinstance(frame, dict) for frame in frames) or not frames:
        raise InputError(f"{path}: expected a list of frames, each with MediaPipe's result")
    yield from frames


def _time_s(path: Path, number: int, value: Any, unit_s: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{path}, frame {number}: its time is {str(value)[:40]!r}; expected a number")
    return value * unit_s


def _people(path: Path, number: int, frame: Mapping[str, Any]) -> list[dict[str, float]]:
    """Channels of each person in a frame."""
    people: list[dict[str, float]] = []
    try:
        for kind in KINDS:
            for person, entries in enumerate(_by_person(frame.get(kind) or [])):
                if len(people) <= person:
                    people.append({})
                for i, entry in enumerate(entries):
                    if kind == "faceblendshapes":
                        name = entry.get("category_name") or entry.get("categoryName") or str(entry.get("index", i))
                        people[person][name] = float(entry["score"])
                    else:
                        for axis in ("x", "y", "z"):
                            people[person][f"{kind.removesuffix('landmarks')}_{i}_{axis}"] = float(entry[axis])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}, frame {number}: not as MediaPipe has it ({error!r}); expected its result") from None
    return people


def _by_person(value: Any) -> list[list[Any]]:
    """Entries of each person: the lists of both languages, and one person's without the outer list."""
    if isinstance(value, dict):
        return (
            [value["categories"]]
            if "categories" in value
            else [[{"category_name": k, "score": v} for k, v in value.items()]]
        )
    if value and isinstance(value[0], dict):
        return [one["categories"] for one in value] if "categories" in value[0] else [value]
    return value
