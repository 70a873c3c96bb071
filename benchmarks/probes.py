"""What the rows of an encoder hold of people of your own: python benchmarks/probes.py faces|voices FOLDER.

    python benchmarks/probes.py faces CLIPS --model data/landmarker/face_landmarker.task
    python benchmarks/probes.py voices SPEECH --labels labels.csv
    python benchmarks/probes.py voices SPEECH --preset upstream --cues wav2vec2 emotion

faces: videos, one person each. Ridge probes of the rows of every visual cue of a preset for what the landmarker reads
(mouth, eyes, turn of the head, smile, blink), beside the pixels themselves and their histograms of gradients.
Persons are left out: ``FOLDER/PERSON/clip.mp4``, or each file its own person.

voices: sound files of speech. Recall of labelled classes with speakers left out, and how well a row tells whether a
voice sounds and at what pitch, beside log-mel bands, and eGeMAPS where it is installed. Labels: a CSV with the columns
file, speaker and label, or folders ``FOLDER/SPEAKER/LABEL/clip.wav``. Without labels, the other probes alone.
"""

import argparse
import csv
import json
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import librosa
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

from damamba.config import CueParams, FacesParams, parse_section
from damamba.console import InputError
from damamba.corpus.manifest import Participant
from damamba.features.crop import upright_square, warp
from damamba.features.extractor import Extractor, ExtractorInput
from damamba.features.faces import FaceTracker
from damamba.features.tracked_frames import open_track, tracked_frames
from damamba.media.sound import SAMPLE_RATE_HZ, read_waveform
from damamba.predictor.cues import chosen_cues
from damamba.predictor.passes import ready_extractor
from damamba.streams.face_track import SHAPES, FaceTrack
from damamba.streams.store import write_stream
from damamba.streams.stream import FeatureStream

VIDEOS = {".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v"}
SOUNDS = {".wav", ".flac", ".ogg", ".mp3", ".m4a"}
FACE_TARGETS = ("mouth open", "eye open", "yaw", "pitch", "smile", "blink")
FOLDS, RIDGE, COMPONENTS = 5, 1e-2, 64
CROP, GREY_PX, HOG_PX, HOG_CELL_PX = 1.15, 32, 96, 16
LEAST_ROWS = 20
"""A clip with fewer rows has no correlation within it."""


@dataclass(frozen=True)
class Clip:
    """Rows of one file on one clock, and what they are probed for."""

    person: str
    rows: dict[str, np.ndarray]
    """By name of the encoder: (N, D), NaN where a row is not valid."""
    truth: np.ndarray
    """(N, K), NaN where a target is not known."""


# ---------------------------------------------------------------------------------------------------------- probes


def folds_of(persons: Sequence[str]) -> np.ndarray:
    """(M,) fold of each clip; a person is in one fold alone. Raises `InputError` for a single person."""
    names = sorted(set(persons))
    if len(names) < 2:
        raise InputError(f"one person ({names[0]}): a probe must be tested on people it was not fitted to; give two")
    fold = {name: k % min(FOLDS, len(names)) for k, name in enumerate(names)}
    return np.array([fold[person] for person in persons])


def ridge(x: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A ridge regression of (n, D) standardised rows on (n,) values."""
    mean, spread = x.mean(0), x.std(0) + 1e-6
    z = (x - mean) / spread
    weights = np.linalg.solve(z.T @ z + RIDGE * len(z) * np.eye(z.shape[1]), z.T @ (y - y.mean()))
    return lambda other: (other - mean) / spread @ weights + y.mean()


def principal(x: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Projection to the first `COMPONENTS` principal components of (n, D) rows."""
    mean = x.mean(0)
    _, axes = np.linalg.eigh(np.cov(x - mean, rowvar=False))
    return lambda other: (other - mean) @ axes[:, ::-1][:, :COMPONENTS]


def correlations(clips: Sequence[Clip], name: str, target: int, reduce: bool) -> tuple[float, float]:
    """Pearson correlation over all rows, and the mean of those within a clip; NaN where there are none."""
    folds = folds_of([clip.person for clip in clips])
    seen, wanted, within = [], [], []
    for fold in sorted(set(folds)):
        parts = []
        for chosen in (folds != fold, folds == fold):
            found = []
            for k in map(int, np.flatnonzero(chosen)):
                x, y = clips[k].rows[name], clips[k].truth[:, target]
                known = np.isfinite(y) & np.isfinite(x).all(1)
                found.append((x[known].astype(np.float64), y[known]))
            parts.append(found)
        x, y = (np.concatenate(each) for each in zip(*parts[0], strict=True))
        if len(y) < LEAST_ROWS or not y.std():
            continue
        project = principal(x) if reduce else (lambda rows: rows)
        fitted = ridge(project(x), y)
        for x, y in parts[1]:
            guess = fitted(project(x))
            seen.append(guess)
            wanted.append(y)
            if len(y) >= LEAST_ROWS and y.std() and guess.std():
                within.append(np.corrcoef(guess, y)[0, 1])
    if not seen or sum(map(len, seen)) < LEAST_ROWS:
        return float("nan"), float("nan")
    pooled = np.corrcoef(np.concatenate(seen), np.concatenate(wanted))[0, 1]
    return float(pooled), float(np.mean(within)) if within else float("nan")


def area_under_curve(clips: Sequence[Clip], name: str, target: int) -> float:
    """Area under the ROC curve of a ridge probe for a target of 0 or 1, over all rows; NaN with one class alone."""
    folds = folds_of([clip.person for clip in clips])
    guesses, truths = [], []
    for fold in sorted(set(folds)):
        sets = []
        for chosen in (folds != fold, folds == fold):
            x = np.concatenate([clips[k].rows[name] for k in map(int, np.flatnonzero(chosen))])
            y = np.concatenate([clips[k].truth[:, target] for k in map(int, np.flatnonzero(chosen))])
            known = np.isfinite(y) & np.isfinite(x).all(1)
            sets.append((x[known].astype(np.float64), y[known]))
        guesses.append(ridge(*sets[0])(sets[1][0]))
        truths.append(sets[1][1])
    truth = np.concatenate(truths)
    return float(roc_auc_score(truth, np.concatenate(guesses))) if 0 < truth.mean() < 1 else float("nan")


def recall(tokens: np.ndarray, labels: np.ndarray, speakers: np.ndarray, by_speaker: bool) -> float:
    """Unweighted recall of a logistic probe of (M, D) clips, each speaker left out once.

    Args:
        tokens: Means and deviations of a clip's rows.
        labels: (M,).
        speakers: (M,).
        by_speaker: Whether the numbers of each speaker, the one left out too, get mean 0 and deviation 1.
    """
    tokens = tokens.astype(np.float64)
    if by_speaker:
        for speaker in set(speakers):
            own = speakers == speaker
            tokens[own] = (tokens[own] - tokens[own].mean(0)) / (tokens[own].std(0) + 1e-6)
    guess = np.empty_like(labels)
    for speaker in set(speakers):
        own = speakers == speaker
        if len(set(labels[~own])) < 2:
            raise InputError(f"speaker {speaker}: all the others have one label; recall needs two at least")
        scaler = StandardScaler().fit(tokens[~own])
        model = LogisticRegression(C=0.01, max_iter=2000, class_weight="balanced")
        guess[own] = model.fit(scaler.transform(tokens[~own]), labels[~own]).predict(scaler.transform(tokens[own]))
    return float(recall_score(labels, guess, average="macro"))


# ----------------------------------------------------------------------------------------------------------- faces


def face_truth(track: FaceTrack) -> np.ndarray:
    """(N, len(FACE_TARGETS)) of the landmarks and blendshapes; NaN where there is no face."""
    at, size_px = track.landmarks_px, track.size_px

    def apart(a: int, b: int) -> np.ndarray:
        return np.linalg.norm(at[:, a] - at[:, b], axis=1)

    shape = {name: track.shapes[:, k] for k, name in enumerate(SHAPES)}
    eye = (apart(159, 145) / apart(33, 133) + apart(386, 374) / apart(263, 362)) / 2
    turn = track.head[:, :3, :3] / np.linalg.norm(track.head[:, :3, :3], axis=1, keepdims=True)
    pitch = np.arcsin(np.clip(turn[:, 1, 2], -1, 1))
    smile, blink = (shape[f"{what}_left"] + shape[f"{what}_right"] for what in ("mouth_smile", "eye_blink"))
    yaw = np.arctan2(turn[:, 0, 2], turn[:, 2, 2])
    return np.stack([apart(13, 14) / size_px, eye, yaw, pitch, smile / 2, blink / 2], 1)


def face_pixels(source: ExtractorInput, n: int) -> dict[str, np.ndarray]:
    """(N, D) grey pixels and histograms of oriented gradients of the upright face; NaN without one."""
    block, bins = (2 * HOG_CELL_PX, 2 * HOG_CELL_PX), 9
    hog = cv2.HOGDescriptor((HOG_PX, HOG_PX), block, (HOG_CELL_PX,) * 2, (HOG_CELL_PX,) * 2, bins)
    rows = {f"grey {GREY_PX}²": np.full((n, GREY_PX**2), np.nan, np.float32)}
    rows[f"HOG {HOG_PX}²"] = np.full((n, hog.getDescriptorSize()), np.nan, np.float32)
    with open_track(source) as faces:
        for k, frame in tracked_frames(source, faces):
            if not faces.valid[k]:
                continue
            face = faces.face(k)
            matrix = upright_square(face.landmarks_px, face.size_px, CROP, HOG_PX)
            grey = cv2.cvtColor(warp(frame.image, matrix, HOG_PX), cv2.COLOR_RGB2GRAY)
            small = cv2.resize(grey, (GREY_PX, GREY_PX), interpolation=cv2.INTER_AREA)
            for name, values in zip(rows, (small.ravel() / 255.0, np.ravel(hog.compute(grey))), strict=True):
                rows[name][k] = values
    return rows


def on_clock(stream: FeatureStream, t_s: np.ndarray) -> np.ndarray:
    """(N, D) rows of a stream that are nearest to each time; NaN where the nearest is not valid or over a row away."""
    x, own_s = np.asarray(stream.x), stream.t_s
    if not len(own_s):
        return np.full((len(t_s), x.shape[1]), np.nan, np.float32)
    right = np.searchsorted(own_s, t_s).clip(0, len(own_s) - 1)
    left = (right - 1).clip(0)
    nearest = np.where(np.abs(own_s[left] - t_s) <= np.abs(own_s[right] - t_s), left, right)
    there = stream.valid[nearest] & (np.abs(own_s[nearest] - t_s) <= 1 / stream.rate_hz)
    return np.where(there[:, None], x[nearest], np.float32(np.nan))


def faces(files: Mapping[Path, str], cues: Mapping[str, Extractor[Any]], model: Path, work: Path) -> list[Clip]:
    """Clips of all videos in which a face is found."""
    tracker = FaceTracker(FacesParams(model=str(model), min_confidence=0.5, min_found=0.02))
    tracker.load()
    clips = []
    for number, (file, person) in enumerate(files.items()):
        participant = _participant(file)
        stream = tracker.extract(ExtractorInput(participant))
        track = FaceTrack.of(stream)
        say(f"{file}: a face in {stream.valid.sum()} of {len(stream.valid)} frames")
        if not stream.valid.any():
            continue
        shard = work / f"{number}.parquet"
        write_stream(shard, stream)
        source = ExtractorInput(participant, shard)
        rows = {name: on_clock(cue.extract(source), track.t_s) for name, cue in cues.items()}
        truth = np.where(track.valid[:, None], face_truth(track), np.nan)
        clips.append(Clip(person, rows | face_pixels(source, len(track.t_s)), truth))
    return clips


def faces_table(clips: Sequence[Clip]) -> list[str]:
    """Lines of Markdown: r over all rows / mean within a clip."""
    lines = [f"| r pooled / within a clip | {' | '.join(FACE_TARGETS)} |", "|---" * (len(FACE_TARGETS) + 1) + "|"]
    for name in clips[0].rows:
        reduce = "²" in name
        cells = ["{:.2f}/{:.2f}".format(*correlations(clips, name, k, reduce)) for k in range(len(FACE_TARGETS))]
        lines.append(f"| {name}{f', {COMPONENTS} components' if reduce else ''} | {' | '.join(cells)} |")
    return lines


# ---------------------------------------------------------------------------------------------------------- voices


def log_mel(samples: np.ndarray, bands: int, delta: bool) -> np.ndarray:
    """(N, bands) or (N, 2 * bands): dB of mel bands, every 20 ms from sample 200 on, and their slopes."""
    power = librosa.feature.melspectrogram(
        y=samples, sr=SAMPLE_RATE_HZ, n_fft=512, win_length=400, hop_length=320, n_mels=bands, center=False
    )
    rows = librosa.power_to_db(power, amin=1e-8, top_db=None).T
    return np.hstack([rows, np.gradient(rows, axis=0)]) if delta else rows


def voice_truth(samples: np.ndarray, n: int) -> np.ndarray:
    """(N, 2): voiced, 0 or 1, and pitch in semitones over 100 Hz where it is; of rows every 20 ms, by pYIN."""
    f0_hz, voiced, _ = librosa.pyin(
        samples, fmin=60, fmax=500, sr=SAMPLE_RATE_HZ, frame_length=1024, hop_length=320, center=True
    )
    pitch = 12 * np.log2(np.where(voiced, f0_hz, np.nan) / 100)
    truth = np.stack([voiced.astype(float), pitch], 1)[:n]
    return np.pad(truth, ((0, n - len(truth)), (0, 0)), constant_values=np.nan)


def voices(
    files: Mapping[Path, str], cues: Mapping[str, Extractor[Any]], most_pitched: int
) -> tuple[list[Clip], list[dict[str, np.ndarray]]]:
    """Rows on one clock, every 20 ms, of the first `most_pitched` files; and of every file a token by encoder."""
    clips, tokens = [], []
    chosen = set(np.linspace(0, len(files) - 1, min(most_pitched, len(files))).astype(int))
    smile = _egemaps()
    for number, (file, person) in enumerate(files.items()):
        samples = np.asarray(read_waveform(file).samples, np.float32)
        streams = {name: cue.extract(ExtractorInput(_participant(file))) for name, cue in cues.items()}
        plain = {"log-mel 40": log_mel(samples, 40, False), "log-mel 80 + Δ": log_mel(samples, 80, True)}
        rows = {name: np.asarray(stream.x)[stream.valid] for name, stream in streams.items()} | plain
        short = [name for name, x in rows.items() if not len(x)]
        if short:
            raise InputError(f"{file}: no valid row of {', '.join(short)}: too short, or silent; leave it out")
        token = {name: np.concatenate([x.mean(0), x.std(0)]) for name, x in rows.items()}
        if smile:
            token["eGeMAPS"] = smile.process_signal(samples, SAMPLE_RATE_HZ).to_numpy()[0]
        tokens.append(token)
        if number in chosen:
            n = len(plain["log-mel 40"])
            t_s = (np.arange(n) * 320 + 256) / SAMPLE_RATE_HZ
            start_s = read_waveform(file).start_s
            rows = {name: on_clock(stream, t_s + start_s) for name, stream in streams.items()}
            clips.append(Clip(person, rows | plain, voice_truth(samples[256:], n)))
    return clips, tokens


def voices_table(
    clips: Sequence[Clip],
    tokens: Sequence[dict[str, np.ndarray]],
    labels: Sequence[str] | None,
    speakers: Sequence[str],
) -> list[str]:
    """Lines of Markdown; "–" where a figure is not defined."""
    lines = ["| | width | recall, plain / by speaker | voiced AUC | pitch r pooled / within |", "|---|---|---|---|---|"]
    for name, token in tokens[0].items():
        x = (
            np.nan_to_num(np.stack([each[name] for each in tokens]))
            if name == "eGeMAPS"
            else np.stack([each[name] for each in tokens])
        )
        said = "–"
        if labels is not None:
            ways = [recall(x, np.array(labels), np.array(speakers), way) for way in (False, True)]
            said = "{:.2f}/{:.2f}".format(*ways)
        voiced = pitch = "–"
        width = len(token)
        if name in clips[0].rows:
            width //= 2
            voiced = f"{area_under_curve(clips, name, 0):.3f}"
            pitch = "{:.2f}/{:.2f}".format(*correlations(clips, name, 1, False))
        lines.append(f"| {name} | {width} | {said} | {voiced} | {pitch} |")
    return lines


def _egemaps() -> Any:
    try:
        import opensmile  # pyright: ignore[reportMissingImports]
    except ImportError:
        say("eGeMAPS left out: openSMILE is not installed (pip install 'damamba[egemaps]')")
        return None
    return opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)


# ----------------------------------------------------------------------------------------------------------- files


def say(line: str) -> None:
    """To the screen, beside the table."""
    print(line, file=sys.stderr, flush=True)


def _participant(file: Path) -> Participant:
    rate_hz = 25.0
    if file.suffix in VIDEOS:
        capture = cv2.VideoCapture(str(file))
        rate_hz = capture.get(cv2.CAP_PROP_FPS) or rate_hz
        capture.release()
    return Participant("probes", file.stem, "p", "", "test", "", file.stem, str(file), str(file), "", rate_hz=rate_hz)


def found_files(folder: Path, kinds: set[str]) -> list[Path]:
    """Media below a folder, in order; raises `InputError` where there are none."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in kinds)
    if not files:
        raise InputError(f"{folder}: no files {', '.join(sorted(kinds))}; name a folder that has some")
    return files


def labelled(folder: Path, table: Path | None) -> tuple[list[Path], list[str], list[str] | None]:
    """Files, their speakers and labels; labels None where there are none.

    Raises:
        InputError: The table lacks a column, or names a file that is not there.
    """
    if table is None:
        files = found_files(folder, SOUNDS)
        places = [file.relative_to(folder).parts for file in files]
        if all(len(place) == 3 for place in places):
            return files, [place[0] for place in places], [place[1] for place in places]
        return files, [place[0] for place in places], None
    with table.open(newline="", encoding="utf-8-sig") as text:
        rows = list(csv.DictReader(text))
    lacking = [name for name in ("file", "speaker", "label") if not rows or name not in rows[0]]
    if lacking:
        raise InputError(f"{table}: no column {', '.join(lacking)}; its first line must be file,speaker,label")
    for number, row in enumerate(rows, start=2):
        if not (folder / row["file"]).is_file():
            raise InputError(f"{table}: line {number}: no file {row['file']} below {folder}")
    return [folder / row["file"] for row in rows], [row["speaker"] for row in rows], [row["label"] for row in rows]


def loaded(preset: str, names: Sequence[str] | None, more: Sequence[str], media: str) -> dict[str, Extractor[Any]]:
    """Extractors of the cues of a preset that read pictures or sound, and of `NAME={…}` in JSON."""
    cues = chosen_cues(preset, names)
    for entry in more:
        name, _, text = entry.partition("=")
        try:
            settings = json.loads(text)
        except ValueError:
            raise InputError(f'--cue {entry}: write NAME={{"group": …, "extractor": …}}, in JSON') from None
        cues[name] = parse_section(CueParams, settings, f"--cue {name}")
    ready = {name: ready_extractor(name, cue) for name, cue in cues.items()}
    ready = {name: extractor for name, extractor in ready.items() if extractor.media == media}
    for extractor in ready.values():
        extractor.load()
    return ready


def main(options: argparse.Namespace) -> list[str]:
    """Lines of the table, and what was left out."""
    if options.what == "faces":
        files = found_files(options.folder, VIDEOS)
        persons = {file: "/".join(file.relative_to(options.folder).parts[:1]) for file in files}
        cues = loaded(options.preset, options.cues, options.cue, "video")
        with TemporaryDirectory() as work:
            clips = faces(persons, cues, options.model, Path(work))
        if not clips:
            raise InputError(f"{options.folder}: no face in any of {len(files)} videos; faces must be nearer")
        rows = sum(int(np.isfinite(clip.truth[:, 0]).sum()) for clip in clips)
        people = len({clip.person for clip in clips})
        return [
            f"{len(clips)} of {len(files)} clips, {people} persons, {rows} frames with a face",
            "",
            *faces_table(clips),
        ]
    files, speakers, labels = labelled(options.folder, options.labels)
    cues = loaded(options.preset, options.cues, options.cue, "audio")
    clips, tokens = voices(dict(zip(files, speakers, strict=True)), cues, options.most_pitched)
    what = f"{len(files)} clips of {len(set(speakers))} speakers; pitch and voicing on {len(clips)} of them"
    if labels is None:
        what += "; no labels, so no recall"
    else:
        what += f"; {len(set(labels))} classes, chance {1 / len(set(labels)):.2f}"
    return [what, "", *voices_table(clips, tokens, labels, speakers)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("faces", "voices"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--preset", default="compact", help="whose cues: compact, real, upstream or foundation")
    parser.add_argument("--cues", nargs="*", help="some of them alone")
    parser.add_argument("--cue", action="append", default=[], metavar="NAME=JSON", help="one more, as in params.yaml")
    parser.add_argument("--labels", type=Path, help="CSV with the columns file, speaker and label")
    parser.add_argument("--model", type=Path, default=Path("data/landmarker/face_landmarker.task"))
    parser.add_argument("--most-pitched", type=int, default=60, help="files whose pitch is found, which takes longest")
    warnings.filterwarnings("ignore", category=FutureWarning)
    try:
        print("\n".join(main(parser.parse_args())))
    except InputError as error:
        sys.exit(f"error: {error}")
