"""Base classes of the formats."""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from damamba.console import InputError
from damamba.importing.feature_file import FeatureFile, ReadOptions, complete
from damamba.importing.table import Columns, Table, open_table
from damamba.text import some

TIMES = {
    **dict.fromkeys(("t", "time", "timestamp", "timestamps", "seconds", "sec", "frametime", "onset", "start"), 1.0),
    **dict.fromkeys(("ts", "ts", "timesec", "times", "timestampsec", "timestamps"), 1.0),
    **dict.fromkeys(("tms", "timems", "timestampms", "ms", "milliseconds", "frametimems"), 1e-3),
}
"""Name of a column in small letters without marks -> unit of its times, s."""
SUSPECT_STEP_S = 5.0
"""Whole numbers so far apart are probably not seconds."""


class Format(ABC):
    """One kind of file."""

    title: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    order: ClassVar[int] = 0
    """Formats with a smaller number are tried first."""

    @abstractmethod
    def recognises(self, path: Path, table: Table | None) -> bool:
        """Whether a file with one of the suffixes is of this kind; `table` is its head if it is a table."""

    @abstractmethod
    def read(self, path: Path, table: Table | None, options: ReadOptions) -> FeatureFile:
        """Read it; raises `InputError` where it cannot be read."""


class TableFormat(Format):
    """A table with one row a moment and person; a subclass names the columns that are no channels."""

    suffixes = (".csv", ".tsv", ".txt", ".arff", ".parquet", ".pq")
    name: ClassVar[str]
    group: ClassVar[str]
    confidence: ClassVar[tuple[str, ...]] = ()
    """Columns in [0, 1], of which the first that is there counts."""
    success: ClassVar[str] = ""
    """Column with 0 in rows without a detection."""
    face: ClassVar[tuple[str, ...]] = ()
    """Columns that number the people in a picture."""
    frame: ClassVar[str] = ""
    """Column with the number of the video frame."""
    first_frame: ClassVar[int] = 0
    left_out: ClassVar[tuple[str, ...]] = ()
    """Columns that are no features."""

    def read(self, path: Path, table: Table | None, options: ReadOptions) -> FeatureFile:
        """Read the channels and what is known of each row."""
        table = table or open_table(path)
        if unknown := sorted({*options.drop, *([options.time] if options.time else [])} - set(table.names)):
            raise InputError(f"{path}: no column {', '.join(unknown)[:120]}; there are {some(table.names, 12)}")
        time, unit_s = self._time(table, options)
        confidence = next((name for name in self.confidence if name in table.names), None)
        face = next((name for name in self.face if name in table.names), None)
        special = [time, confidence, face, self.success, self.frame]
        others = {*filter(None, special), *self.left_out, *options.drop}
        channels = [name for name in table.names if name not in others]
        if not channels:
            raise InputError(f"{path}: no channels beside {some(table.names)}; expected columns of numbers")
        numbers = [name for name in (time, confidence, self.success, self.frame) if name in table.names]
        columns = table.read(channels, list(dict.fromkeys(numbers)), [face] if face else [])
        return self._file(table, columns, channels, time, unit_s, confidence, face, options)

    def _time(self, table: Table, options: ReadOptions) -> tuple[str, float]:
        """Column with times, "" for none, and their unit."""
        if options.time:
            plain = re.sub(r"[^a-z]", "", options.time.lower())
            return options.time, options.unit_s or TIMES.get(plain, 1.0)
        for name in table.names:
            plain = re.sub(r"[^a-z]", "", name.lower())
            if plain in TIMES and name not in options.drop:
                return name, options.unit_s or TIMES[plain]
        return "", 1.0

    def _file(
        self,
        table: Table,
        columns: Columns,
        channels: Sequence[str],
        time: str,
        unit_s: float,
        confidence: str | None,
        face: str | None,
        options: ReadOptions,
    ) -> FeatureFile:
        rows = len(columns.x)
        valid = complete(columns.x)
        empty = ~np.logical_or.reduce(np.isfinite(columns.x), axis=0)
        if not valid.any() and empty.any() and not empty.all():
            names = [name for name, gone in zip(channels, empty, strict=True) if gone]
            raise InputError(f"{table.path}: no row has a value of {some(names)}; leave out with --drop")
        score = columns.numbers[confidence].astype(np.float32) if confidence else None
        if score is not None:
            score = np.nan_to_num(score, nan=0.0).clip(0, 1)  # without a confidence there was no detection
            valid &= score >= options.min_confidence
        if self.success in columns.numbers:
            valid &= columns.numbers[self.success] == 1
        t_s = columns.numbers[time] * unit_s if time else None
        if t_s is not None and not np.isfinite(t_s).all():
            row = int(np.argmin(np.isfinite(t_s)))
            raise InputError(f"{table.path}, line {table.first_line + row}: column {time!r} has no time; correct it")
        if t_s is not None and rows > 2 and not options.unit_s and unit_s == 1.0:
            step = float(np.median(np.diff(t_s)))
            if step >= SUSPECT_STEP_S and np.array_equal(t_s, np.floor(t_s)):
                raise InputError(
                    f"{table.path}: the times in {time!r} are whole numbers, {step:g} apart, which look like ms; give "
                    "their unit: --time-unit ms or --time-unit s"
                )
        frame = columns.numbers[self.frame] - self.first_frame if self.frame in columns.numbers else None
        faces = columns.texts[face] if face else self._faces(frame)
        return FeatureFile(
            path=table.path,
            format=self.title,
            name=self.stream_name(table),
            group=self.group,
            channels=tuple(channels),
            x=columns.x,
            valid=valid,
            score=score,
            t_s=t_s,
            frame=frame,
            face=faces,
            first_line=table.first_line,
        )

    def stream_name(self, table: Table) -> str:
        """Name of the stream where the file's own name has none."""
        return self.name

    def _faces(self, frame: np.ndarray | None) -> np.ndarray | None:
        """(N,) position among the rows of the same frame; None where each frame has one row."""
        if frame is None or len(np.unique(frame)) == len(frame):
            return None
        faces, seen = [], {}
        for number in frame.tolist():
            seen[number] = seen.get(number, -1) + 1
            faces.append(str(seen[number]))
        return np.array(faces, object)
