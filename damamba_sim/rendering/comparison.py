"""What the media keep of the behaviour: true channels beside what is found in the files, person by person.

*Faces.* A linear reader of the landmarks, one for the eyes, one for the mouth, one for the head. It is fitted on other
people than those whom it is tried on, and sees only that part of the face: what it finds of a channel is in the
picture, and does not come from the company that channels keep in behaviour.

*Voices.* Energy for activity and loudness, pYIN for pitch, from the sound that the person's cues are extracted from,
against phrases, level and pitch of the voice before room, noise and the others. Where one microphone in the room hears
everybody, only what it hears while the others are silent is compared.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from damamba.media.decode import read_waveform
from damamba.streams.face_track import FaceTrack
from damamba.streams.reader import read_stream
from damamba_sim.faces import landmarks as face

RATE_HZ = 25  # of channels
EYES = (face.UPPER_LIDS, face.LOWER_LIDS, face.EYE_CORNERS, face.BROWS, np.arange(468, 478))
MOUTH = (face.UPPER_LIP, face.LOWER_LIP, face.MOUTH_CORNERS, face.SMILE_LINES, face.NOSE_WINGS, face.LOWER_LIDS)
HEAD = (face.FACE_OVAL, face.EYE_CORNERS, face.NOSE_WINGS, np.array([1, 2, 4, 5, 6, 9, 168, 195, 197]))
REGIONS = {
    "eyes": (EYES, ("eye", "gaze_x", "gaze_y", "brow")),
    "mouth": (MOUTH, ("mouth", "smile")),
    "head": (HEAD, ("yaw", "pitch", "roll")),
}
"""Part of the face: its landmarks, and the channels that are read from them."""
FOLDS = 10
RIDGE = 3e-4
"""Of the mean variance of a landmark."""
VARIES = {
    **{"eye": 0.05, "gaze_x": 0.1, "gaze_y": 0.1, "brow": 0.05, "mouth": 0.05, "smile": 0.05},
    **{"yaw": 1.5, "pitch": 1.0, "roll": 0.75, "speech": 0.2, "voice_pitch": 0.3, "loudness": 0.7},
}
"""Standard deviation that a person's true channel must have, in its unit, for a correlation to mean something."""
WINDOW_S = 2.0
WINDOWS = 5
"""Windows with speech that a person must have for a correlation of pitch or loudness."""
SPOKEN_S = 0.4
"""Speech that a window must hold; for pitch, voiced speech."""
HOP_S = 0.02
LOWEST_PITCH_HZ, HIGHEST_PITCH_HZ = 60, 450
HOLD_S = 0.26
"""A pause that belongs to speech."""
ECHO_S = 0.3
"""The room sounds on for so long."""
BURST = 5
"""Frames of what is taken for the loudest."""


@dataclass(frozen=True)
class Take:
    """One participant's files."""

    corpus: str
    name: str
    """corpus/session/participant."""
    truth: Path
    track: Path
    """Face track."""
    sound: Path
    others: tuple[Path, ...]
    """Truth of whoever else the microphone hears as well as this person."""


@dataclass(frozen=True)
class Moments:
    """Second moments over the frames of one person, each series without its mean."""

    features: NDArray[np.float64]
    """(F, F)."""
    both: NDArray[np.float64]
    """(F, C) features with channels."""
    channels: NDArray[np.float64]
    """(C,)."""

    @classmethod
    def of(cls, features: NDArray, channels: NDArray) -> "Moments":
        """Of (N, F) features and (N, C) channels."""
        x, y = features - features.mean(0), channels - channels.mean(0)
        n = len(x)
        return cls(x.T @ x / n, x.T @ y / n, (y * y).mean(0))


@dataclass(frozen=True)
class Observed:
    """What one take tells; a few numbers however long it is."""

    take: Take
    frames: dict[str, int]
    """Frames by what the truth says of the face: ``visible``, ``absent`` or ``between``."""
    found: dict[str, int]
    """Of them, those in which a face was found."""
    moments: dict[str, Moments]
    """By region."""
    voice: dict[str, float]
    """Correlation by channel, where it can be told."""


def observe(take: Take) -> Observed:
    """Compare one participant's files with the truth.

    Raises:
        InputError: A file is missing or damaged.
    """
    truth = _read(take.truth)
    track = FaceTrack.of(read_stream(take.track, "dvc repro -f track_faces"))
    row = np.clip(np.rint(track.t_s * RATE_HZ).astype(int), 0, len(truth["t_s"]) - 1)
    visible, present = truth["visible"][row] > 0, truth["present"][row] > 0
    kinds = {"visible": visible, "absent": ~present, "between": present & ~visible}
    seen = visible & track.valid
    moments = {}
    if np.count_nonzero(seen) > 1:
        moments = {
            region: Moments.of(
                _features(track, seen, places),
                np.stack([np.interp(track.t_s[seen], truth["t_s"], truth[name]) for name in names], axis=1),
            )
            for region, (places, names) in REGIONS.items()
        }
    return Observed(
        take,
        {kind: int(np.count_nonzero(frames)) for kind, frames in kinds.items()},
        {kind: int(np.count_nonzero(frames & track.valid)) for kind, frames in kinds.items()},
        moments,
        _hear(take.sound, truth, [_read(path) for path in take.others]),
    )


def fidelity(takes: Sequence[Observed]) -> dict[str, dict[str, Any]]:
    """``results/rendering.json``: by corpus, shares of faces found and correlations by channel."""
    by_person = {seen.take.name: {**read, **seen.voice} for seen, read in zip(takes, _read_faces(takes), strict=True)}
    return {
        corpus: _summary([seen for seen in takes if seen.take.corpus == corpus], by_person)
        for corpus in dict.fromkeys(seen.take.corpus for seen in takes)
    }


def _summary(takes: Sequence[Observed], by_person: dict[str, dict[str, float]]) -> dict[str, Any]:
    frames, found = ({kind: sum(getattr(seen, what)[kind] for seen in takes) for kind in takes[0].frames}
                     for what in ("frames", "found"))  # fmt: skip
    people = {seen.take.name: by_person[seen.take.name] for seen in takes}
    channels = {}
    for name in VARIES:
        values = {who: read[name] for who, read in people.items() if name in read}
        if values:
            worst = min(values, key=values.__getitem__)
            channels[name] = {
                "median": round(float(np.median(list(values.values()))), 4),
                "minimum": round(values[worst], 4),
                "lowest": worst,
                "persons": len(values),
            }
    return {
        "persons": len(takes),
        "frames": frames,
        "found": {kind: round(found[kind] / n, 5) if n else None for kind, n in frames.items()},
        "channels": channels,
        "by_person": {who: {name: round(r, 4) for name, r in read.items()} for who, read in people.items()},
    }


def _read_faces(takes: Sequence[Observed]) -> list[dict[str, float]]:
    """Correlations by channel of each take, by readers that were fitted on the people of the other folds."""
    read: list[dict[str, float]] = [{} for _ in takes]
    for region, (_, names) in REGIONS.items():
        for fold in range(FOLDS):
            others = [seen.moments[region] for k, seen in enumerate(takes) if k % FOLDS != fold and seen.moments]
            if not others:
                continue
            reader = _fit(others)
            for k in range(fold, len(takes), FOLDS):
                if takes[k].moments:
                    found = _correlations(reader, takes[k].moments[region])
                    spread = np.sqrt(takes[k].moments[region].channels)
                    kept = zip(names, found.tolist(), spread.tolist(), strict=True)
                    read[k] |= {name: r for name, r, std in kept if std >= VARIES[name]}
    return read


def _fit(people: Iterable[Moments]) -> NDArray[np.float64]:
    """(F, C) ridge regression in which everybody counts the same."""
    people = list(people)
    features = np.sum([person.features for person in people], axis=0)
    both = np.sum([person.both for person in people], axis=0)
    return np.linalg.solve(features + RIDGE * np.trace(features) / len(features) * np.eye(len(features)), both)


def _correlations(reader: NDArray, person: Moments) -> NDArray[np.float64]:
    """(C,) of what `reader` says of `person` with the truth."""
    covariance = (reader * person.both).sum(0)
    variance = (reader * (person.features @ reader)).sum(0)
    return covariance / np.sqrt(np.maximum(variance * person.channels, 1e-30))


def _features(track: FaceTrack, rows: NDArray, places: Iterable[NDArray]) -> NDArray[np.float64]:
    """(N, F): landmarks in a frame that lies on the eyes, in units of their distance; and how the head is turned."""
    marks = track.landmarks_px[rows].astype(np.float64)
    left, right = (marks[:, corners].mean(1) for corners in face.EYE_CORNERS)
    along = right - left
    unit_px = np.linalg.norm(along, axis=1)
    along /= unit_px[:, None]
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    chosen = marks[:, np.concatenate([place.ravel() for place in places])] - ((left + right) / 2)[:, None]
    own = np.concatenate([(chosen * axis[:, None]).sum(2) for axis in (along, across)], axis=1) / unit_px[:, None]
    turn = track.head[rows, :3, :3].astype(np.float64)
    tilt = np.arctan2(along[:, 1], along[:, 0])
    angles = np.arctan2(turn[:, 0, 2], turn[:, 2, 2]), np.arcsin(np.clip(-turn[:, 1, 2], -1, 1)), tilt
    return np.column_stack([own, *angles])


def _read(path: Path) -> dict[str, NDArray[np.float64]]:
    table = pq.read_table(path)
    return {name: table[name].to_numpy().astype(np.float64) for name in table.column_names}


def _hear(sound: Path, truth: dict[str, NDArray], others: Sequence[dict[str, NDArray]]) -> dict[str, float]:
    """Correlations of activity, pitch and loudness."""
    import librosa

    wave = read_waveform(sound)
    hop = round(HOP_S * wave.rate_hz)
    level_db = 20 * np.log10(librosa.feature.rms(y=wave.samples, frame_length=2 * hop, hop_length=hop)[0] + 1e-6)
    row = np.rint((wave.start_s + HOP_S * np.arange(len(level_db))) * RATE_HZ).astype(int)
    row = np.clip(row, 0, len(truth["t_s"]) - 1)
    quiet = np.ones(len(row), bool)
    for other in others:
        quiet &= ~_near(other["speech"][row] > 0)
    speaks = (truth["speech"][row] > 0) & quiet
    found = {"speech": _correlation(speaks[quiet], _active(level_db)[quiet], VARIES["speech"])}
    if speaks.any():
        f0_hz, voiced, _ = librosa.pyin(
            wave.samples,
            fmin=LOWEST_PITCH_HZ,
            fmax=HIGHEST_PITCH_HZ,
            sr=wave.rate_hz,
            frame_length=1 << int(np.ceil(np.log2(3 * wave.rate_hz / LOWEST_PITCH_HZ))),
            hop_length=hop,
            fill_na=LOWEST_PITCH_HZ,
        )
        sung = speaks & voiced & (truth["voice_f0"][row] > 0)
        pitches = np.log2(np.where(sung, truth["voice_f0"][row], 1)), np.log2(f0_hz)
        levels = truth["voice_level"][row], level_db
        for name, rows, series, middle in (
            ("voice_pitch", sung, [12 * octaves for octaves in pitches], np.median),
            ("loudness", speaks, levels, _mean_level),
        ):
            pairs = _by_window(rows, series, middle)
            if len(pairs) >= WINDOWS:
                found[name] = _correlation(pairs[:, 0], pairs[:, 1], VARIES[name])
    return {name: r for name, r in found.items() if r is not None}


def _near(speech: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Frames with speech, and those so near that its echo is still heard."""
    reach = round(ECHO_S / HOP_S)
    return np.convolve(np.pad(speech, reach), np.ones(2 * reach + 1), "valid") > 0


def _by_window(rows: NDArray, series: Sequence[NDArray], middle: Callable[[NDArray], float]) -> NDArray[np.float64]:
    """(windows, 2) middles of both series over the `rows` of each window that has enough of them."""
    windows = np.array_split(np.arange(len(rows)), max(round(len(rows) * HOP_S / WINDOW_S), 1))
    kept = [window[rows[window]] for window in windows if np.count_nonzero(rows[window]) * HOP_S >= SPOKEN_S]
    return np.array([[middle(one[window]) for one in series] for window in kept]).reshape(-1, 2)


def _mean_level(level_db: NDArray) -> float:
    """Of the mean power."""
    return float(10 * np.log10(np.mean(10 ** (level_db / 10))))


def _active(level_db: NDArray) -> NDArray[np.bool_]:
    """Whether somebody speaks: louder than half-way, in dB, from the quietest to the loudest; short pauses count."""
    from scipy.ndimage import binary_closing, binary_opening, uniform_filter1d

    loudest = np.sort(uniform_filter1d(level_db, BURST))[-BURST]
    loud = level_db > (np.percentile(level_db, 5) + loudest) / 2
    hold = np.ones(round(HOLD_S / HOP_S), bool)
    padded = np.pad(loud, len(hold))
    kept = binary_opening(binary_closing(padded, hold), hold[: len(hold) // 3])
    return np.asarray(kept, bool)[len(hold) : -len(hold)]


def _correlation(a: NDArray, b: NDArray, varies: float) -> float | None:
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if len(a) < 2 or a.std() < varies or b.std() < 1e-9:
        return None
    return float(np.corrcoef(a, b)[0, 1])
