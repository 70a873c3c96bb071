"""Predictions as objects, and as files."""

import csv
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from damamba.config import LABEL_RATE_HZ
from damamba.console import InputError
from damamba.corpus.annotations import write_annotation
from damamba.corpus.labels import Labels
from damamba.files import replace_file, whole_file
from damamba.media.loudness import Loudness
from damamba.metrics.base import most_probable

DECIMALS = 4
TOOLS = {"elan": ".eaf", "nova": ".engagement.annotation"}
"""Annotation tool -> ending of its file."""


def _columns(name: str, before: str, series: np.ndarray, classes: Sequence[str]) -> dict[str, pa.Array]:
    """Columns of one label; `before` stands before the names of its classes."""
    unseen = np.isnan(series)
    if not classes:
        return {name: pa.array(series, pa.float32(), mask=unseen)}
    names = np.array([*classes, ""])[np.where(unseen[:, 0], -1, most_probable(series)).astype(int)]
    values = {name: pa.array(names, mask=unseen[:, 0])}
    for k, known in enumerate(classes):
        values[f"{before}p.{known}"] = pa.array(series[:, k], pa.float32(), mask=unseen[:, k])
    return values


def _cell(value: float | str | None) -> str:
    return "" if value is None else value if isinstance(value, str) else f"{value:.{DECIMALS}f}"


@dataclass(frozen=True)
class OtherLabel:
    """Predictions of a further label (`labels.also` of the model's params.yaml)."""

    series: np.ndarray
    """As `ParticipantPrediction.engagement`."""
    classes: tuple[str, ...]
    """Names of the classes; none for a number."""


@dataclass(frozen=True)
class ParticipantPrediction:
    """Engagement of one person."""

    session: str
    participant: str
    video: Path
    engagement: np.ndarray
    """(L,) float32 at 25 Hz, in [0, 1]; of classes, (L, K) probabilities; NaN where no cue was observed."""
    cues: dict[str, np.ndarray]
    """Cue -> (L,) bool, True where it was observed."""
    contributions: dict[str, np.ndarray] = field(default_factory=dict)
    """Cue, or ``partner NAME`` -> (L,) the prediction less the one without it; empty where they were not asked for."""
    sound: Loudness | None = None
    """For the page; None without sound."""
    classes: tuple[str, ...] = ()
    """Names of the classes; none where engagement is a number."""
    also: dict[str, OtherLabel] = field(default_factory=dict)
    """Further labels by name."""

    @property
    def time_s(self) -> np.ndarray:
        """(L,) time of each value, s from the start of the video."""
        return np.arange(len(self.engagement)) / LABEL_RATE_HZ

    @property
    def place(self) -> np.ndarray:
        """(L,) engagement; of classes, the place of the most probable one between the first, 0, and the last, 1."""
        if not self.classes:
            return self.engagement
        return (most_probable(self.engagement) / (len(self.classes) - 1)).astype(np.float32)

    def to_arrow(self) -> pa.Table:
        """Columns time_s, engagement (null where nothing was observed), those of `also`, and a bool for each cue.

        Of classes, engagement is the name of the most probable one, and a column ``p.<class>`` follows for each. A
        further label has a column of its name, followed by ``<name>.p.<class>``.
        """
        columns = {
            "time_s": pa.array(self.time_s, pa.float64()),
            **self._values(),
            **{cue: pa.array(seen) for cue, seen in self.cues.items()},
        }
        return pa.table(columns, metadata={"session": self.session, "participant": self.participant})

    def _values(self) -> dict[str, pa.Array]:
        """The columns of all labels."""
        values = _columns("engagement", "", self.engagement, self.classes)
        for name, other in self.also.items():
            values |= _columns(name, f"{name}.", other.series, other.classes)
        return values

    def to_pandas(self) -> Any:
        """The table of `to_arrow` as a DataFrame; needs pandas."""
        return self.to_arrow().to_pandas()

    def labels(self) -> Labels:
        """For `damamba.corpus.annotations`; raises `InputError` where engagement is a class."""
        if self.classes:
            raise InputError(
                f"{self.session}/{self.participant}: classes are not written for ELAN and NOVA; use the CSV"
            )
        return Labels(self.engagement, np.isfinite(self.engagement))


@dataclass(frozen=True)
class Prediction:
    """Everyone whose engagement was predicted, and how."""

    participants: tuple[ParticipantPrediction, ...]
    notes: tuple[str, ...]
    """What was missing of whom, a line each."""
    model: dict[str, Any]
    """Identity of the model: folder, variant, seal, encoders, versions, and whether it was trained on simulated people.
    """

    def of_session(self, session: str) -> list[ParticipantPrediction]:
        """The people of one conversation."""
        return [one for one in self.participants if one.session == session]

    def write(self, out: Path | str, tools: Sequence[str] = ()) -> list[Path]:
        """Write ``SESSION/PARTICIPANT.csv`` and ``….parquet`` below `out`, and ``prediction.json``.

        Args:
            out: Folder.
            tools: Of `TOOLS`, whose files are written as well.

        Returns:
            The files.
        """
        out, written = Path(out), []
        for one in self.participants:
            base = out / one.session / one.participant
            table = one.to_arrow()
            with whole_file(base.with_name(f"{base.name}.parquet")) as temporary:
                pq.write_table(table, temporary, compression="zstd")
            with (
                whole_file(base.with_name(f"{base.name}.csv")) as temporary,
                temporary.open("w", newline="", encoding="utf8") as file,
            ):
                rows = csv.writer(file, lineterminator="\n")
                rows.writerow(table.column_names)
                seen = np.array(list(one.cues.values())).astype(int).T
                values = [table.column(name).to_pylist() for name in one._values()]
                for t_s, row, cues in zip(one.time_s, zip(*values, strict=True), seen, strict=True):
                    rows.writerow([f"{t_s:.2f}", *map(_cell, row), *cues])
            written += [base.with_name(f"{base.name}{ending}") for ending in (".csv", ".parquet")]
            video = os.path.relpath(one.video.resolve(), base.parent.resolve())
            for tool in tools:
                path = base.with_name(f"{base.name}{TOOLS[tool]}")
                write_annotation(path, one.labels(), annotator="damamba", role=one.participant, media=[video])
                written.append(path)
        record = {
            "model": self.model,
            "notes": list(self.notes),
            "participants": [
                {"session": one.session, "participant": one.participant, "video": one.video.as_posix()}
                for one in self.participants
            ],
        }
        replace_file(out / "prediction.json", (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode())
        return [*written, out / "prediction.json"]
