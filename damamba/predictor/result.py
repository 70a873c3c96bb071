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
from damamba.corpus.annotations import write_annotation
from damamba.corpus.labels import Labels
from damamba.files import replace_file, whole_file
from damamba.media.loudness import Loudness

DECIMALS = 4
TOOLS = {"elan": ".eaf", "nova": ".engagement.annotation"}
"""Annotation tool -> ending of its file."""


@dataclass(frozen=True)
class ParticipantPrediction:
    """Engagement of one person."""

    session: str
    participant: str
    video: Path
    engagement: np.ndarray
    """(L,) float32 at 25 Hz, in [0, 1]; NaN where no cue of the person was observed."""
    cues: dict[str, np.ndarray]
    """Cue -> (L,) bool, True where it was observed."""
    contributions: dict[str, np.ndarray] = field(default_factory=dict)
    """Cue, or ``partner NAME`` -> (L,) the prediction less the one without it; empty where they were not asked for."""
    sound: Loudness | None = None
    """For the page; None without sound."""

    @property
    def time_s(self) -> np.ndarray:
        """(L,) time of each value, s from the start of the video."""
        return np.arange(len(self.engagement)) / LABEL_RATE_HZ

    def to_arrow(self) -> pa.Table:
        """Columns time_s, engagement (null where nothing was observed), and a bool for each cue."""
        columns = {
            "time_s": pa.array(self.time_s, pa.float64()),
            "engagement": pa.array(self.engagement, pa.float32(), mask=np.isnan(self.engagement)),
            **{cue: pa.array(seen) for cue, seen in self.cues.items()},
        }
        return pa.table(columns, metadata={"session": self.session, "participant": self.participant})

    def to_pandas(self) -> Any:
        """The table of `to_arrow` as a DataFrame; needs pandas."""
        return self.to_arrow().to_pandas()

    def labels(self) -> Labels:
        """For `damamba.corpus.annotations`."""
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
                for t_s, value, cues in zip(one.time_s, one.engagement, seen, strict=True):
                    rows.writerow([f"{t_s:.2f}", "" if np.isnan(value) else f"{value:.{DECIMALS}f}", *cues])
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
