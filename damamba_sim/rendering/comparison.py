"""Compare what is measured in the media with the true channels, person by person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from damamba.config import LABEL_RATE_HZ
from damamba.streams.face_track import FaceTrack
from damamba.streams.reader import read_stream
from damamba_sim.rendering.faces import FACE_SPREAD, SecondMoments, face_correlations, face_moments
from damamba_sim.rendering.participants import FilmedParticipant
from damamba_sim.rendering.voices import VOICE_SPREAD, voice_correlations

CHANNELS = (*FACE_SPREAD, *VOICE_SPREAD)
"""Channels that are compared."""


@dataclass(frozen=True)
class Comparison:
    """One participant's media beside the truth: a few numbers, however long the recording is."""

    participant: FilmedParticipant
    frames: dict[str, int]
    """Number of frames in which the face is ``visible``, ``absent`` or ``between``, by the truth."""
    faces_found: dict[str, int]
    """Number of them in which the face tracker has found a face."""
    moments: dict[str, SecondMoments]
    """Moments of landmarks and channels, by region of the face."""
    voice: dict[str, float]
    """Correlation by channel of the voice, as far as it can be measured."""


def compare(participant: FilmedParticipant) -> Comparison:
    """Compare one participant's files with the truth.

    Raises:
        InputError: A file is missing or damaged.
    """
    truth = _read_channels(participant.truth)
    track = FaceTrack.of(read_stream(participant.face_track, "dvc repro -f track_faces"))
    row = np.clip(np.rint(track.t_s * LABEL_RATE_HZ).astype(int), 0, len(truth["t_s"]) - 1)
    visible, present = truth["visible"][row] > 0, truth["present"][row] > 0
    kinds = {"visible": visible, "absent": ~present, "between": present & ~visible}
    return Comparison(
        participant,
        {kind: int(np.count_nonzero(frames)) for kind, frames in kinds.items()},
        {kind: int(np.count_nonzero(frames & track.valid)) for kind, frames in kinds.items()},
        face_moments(track, visible & track.valid, truth),
        voice_correlations(participant.sound, truth, [_read_channels(path) for path in participant.truth_of_others]),
    )


def rendering_results(comparisons: Sequence[Comparison]) -> dict[str, dict[str, Any]]:
    """Content of ``results/rendering.json``: by corpus, shares of faces found and correlations by channel."""
    faces = face_correlations([comparison.moments for comparison in comparisons])
    by_person = {one.participant.name: {**face, **one.voice} for one, face in zip(comparisons, faces, strict=True)}
    return {
        corpus: _summary([one for one in comparisons if one.participant.corpus == corpus], by_person)
        for corpus in dict.fromkeys(one.participant.corpus for one in comparisons)
    }


def _summary(comparisons: Sequence[Comparison], by_person: Mapping[str, dict[str, float]]) -> dict[str, Any]:
    """Results of one corpus."""
    kinds = comparisons[0].frames
    frames = {kind: sum(one.frames[kind] for one in comparisons) for kind in kinds}
    faces_found = {kind: sum(one.faces_found[kind] for one in comparisons) for kind in kinds}
    people = {one.participant.name: by_person[one.participant.name] for one in comparisons}
    channels = {}
    for name in CHANNELS:
        values = {person: correlations[name] for person, correlations in people.items() if name in correlations}
        if values:
            lowest = min(values, key=values.__getitem__)
            channels[name] = {
                "median": round(float(np.median(list(values.values()))), 4),
                "minimum": round(values[lowest], 4),
                "minimum_person": lowest,
                "persons": len(values),
            }
    return {
        "persons": len(comparisons),
        "frames": frames,
        "faces_found": {kind: round(faces_found[kind] / n, 5) if n else None for kind, n in frames.items()},
        "channels": channels,
        "by_person": {
            person: {name: round(r, 4) for name, r in correlations.items()} for person, correlations in people.items()
        },
    }


def _read_channels(path: Path) -> dict[str, NDArray[np.float64]]:
    table = pq.read_table(path)
    return {name: table[name].to_numpy().astype(np.float64) for name in table.column_names}
