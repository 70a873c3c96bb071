"""openSMILE: CSV and ARFF of SMILExtract, with ``frameTime``; CSV of its Python package, with ``start`` and ``end``."""

import re
from pathlib import Path

import numpy as np

from damamba.console import InputError
from damamba.importing.feature_file import FeatureFile, ReadOptions, complete
from damamba.importing.formats.base import TableFormat
from damamba.importing.table import Columns, Table, open_table

DELTA = re.compile(r"\s*(?:(\d+) days?,? )?(?:(\d+):(\d+):)?(\d+(?:\.\d*)?)\s*")
"""A time of the Python package: ``0 days 00:00:00.010000``."""


class OpenSmile(TableFormat):
    """Descriptors by frame, or functionals by window, each at the middle of its window."""

    title, name, group = "openSMILE", "opensmile", "audio"
    left_out = ("name", "frameIndex", "frame", "class", "emotion", "file", "end", "instname")

    def recognises(self, path: Path, table: Table | None) -> bool:
        """By the columns of time, and by its names of descriptors."""
        names = set(table.names) if table else set()
        return "frameTime" in names or ({"start", "end"} <= names and any("sma" in name for name in names))

    def stream_name(self, table: Table) -> str:
        """Egemaps for GeMAPS and eGeMAPS."""
        return "egemaps" if any(name.startswith("F0semitoneFrom27.5Hz") for name in table.names) else self.name

    def read(self, path: Path, table: Table | None, options: ReadOptions) -> FeatureFile:
        """Also with times as texts."""
        table = table or open_table(path)
        if "frameTime" in table.names or options.time:
            return super().read(path, table, options)
        others = {"start", *self.left_out, *options.drop}
        channels = [name for name in table.names if name not in others]
        columns = table.read(channels, (), ("start", "end"))
        times = [_seconds(table, columns, name) for name in ("start", "end")]
        valid = complete(columns.x)
        return FeatureFile(
            path, self.title, self.stream_name(table), self.group, tuple(channels), columns.x, valid,
            t_s=(times[0] + times[1]) / 2, first_line=table.first_line,
        )  # fmt: skip


def _seconds(table: Table, columns: Columns, name: str) -> np.ndarray:
    """(N,) s of a column of texts."""
    times = np.empty(len(columns.x))
    for row, text in enumerate(columns.texts[name]):
        found = DELTA.fullmatch(text or "")
        if not found:
            where = f"{table.path}, line {table.first_line + row}, column {name!r}"
            raise InputError(f"{where}: {str(text)[:40]!r} is no time; expected s or 0 days 00:00:01.5")
        days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
        times[row] = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return times
