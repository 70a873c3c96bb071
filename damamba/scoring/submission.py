"""A run's predictions of the test split, packed as the challenge wants them."""

import zipfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from damamba.config import LABEL_RATE_HZ
from damamba.console import InputError, progress
from damamba.corpus.annotation_csv import read_labels
from damamba.corpus.challenge import FOLDERS, SUFFIXES
from damamba.corpus.manifest import Manifest, Participant
from damamba.corpus.release import SESSIONS
from damamba.files import whole_file
from damamba.scoring.predictions import read_prediction, refuse_classes
from damamba.text import some

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date of a zip: the same predictions give the same bytes
DECIMALS = 6


@dataclass(frozen=True)
class SubmissionFile:
    """One file of a submission."""

    participant: Participant
    name: str
    """Inside the zip."""
    values: np.ndarray
    """(lines,) float64 in [0, 1]."""
    repeated: int
    """Lines at the end that repeat the last prediction, because the label is longer than the media."""

    @property
    def text(self) -> str:
        """One number a line."""
        return "".join(f"{value:.{DECIMALS}f}\n" for value in self.values)


def collect(data: Path, run: str, edition: int) -> tuple[list[SubmissionFile], int]:
    """Files of all participants of the test split, and how many of them were predicted now.

    The stage evaluate leaves out participants without labels; they are predicted here.

    Args:
        data: Folder of the pipeline, with corpus, predictions, models and aligned shards.
        run: VARIANT-SEED.
        edition: Of the challenge, which decides the file names.

    Raises:
        InputError: The test split is empty, a prediction is not in [0, 1], or something is missing.
    """
    manifest = Manifest.read(data / "corpus/manifest.jsonl")
    people = [p for p in manifest.participants if p.split == "test" and p.corpus in FOLDERS]
    if not people:
        there = some(sorted({f"{p.corpus} ({p.split})" for p in manifest.participants}))
        raise InputError(
            f"{data / 'corpus/manifest.jsonl'}: the test split of {', '.join(FOLDERS)} is empty; there are {there}"
        )
    predictions = data / "predictions" / run
    waiting = [p for p in people if not p.shard(predictions).is_file()]
    predicted = predict_now(data, run, waiting) if waiting else {}
    files = []
    for participant in people:
        pred = predicted.get(participant.key)
        if pred is None:
            refuse_classes(participant.shard(predictions))
            pred = read_prediction(participant.shard(predictions), run)
        files.append(submission_file(participant, pred, edition))
    return files, len(waiting)


def predict_now(data: Path, run: str, people: Sequence[Participant]) -> dict[tuple[str, str, str], np.ndarray]:
    """Key of a participant -> prediction at the label rate.

    Raises:
        InputError: The model or the shards are missing, or a participant is not among the shards.
    """
    from damamba.data.batch import WindowReader  # torch takes seconds to import
    from damamba.data.causality import require_causal
    from damamba.data.shards import Aligned
    from damamba.inference import load_trained, predict

    model, grid = load_trained(data / "models" / run)
    aligned = Aligned.read(data / "aligned")
    require_causal(aligned, model.causal)
    predictor = partial(predict, model, WindowReader(aligned, grid))
    places = {
        (session.corpus, session.session, seat.participant): (session, number)
        for session in aligned.sessions
        for number, seat in enumerate(session.seats)
    }
    absent = [p.name for p in people if p.key not in places]
    if absent:
        raise InputError(f"{data / 'aligned/index.json'}: lacks {some(absent)}; make it again: dvc repro align")
    return {p.key: predictor(*places[p.key]) for p in progress(people, "predict", unit="participant")}


def submission_file(participant: Participant, pred: np.ndarray, edition: int) -> SubmissionFile:
    """A participant's file: exactly as many lines as the label has, or would have.

    Raises:
        InputError: A prediction is not in [0, 1], or a class.
    """
    if pred.ndim > 1:
        raise InputError(f"{participant.name}: the model predicts classes; the corpora of a submission have numbers")
    wrong = int((~((pred >= 0) & (pred <= 1))).sum())
    if wrong or not len(pred):
        raise InputError(
            f"{participant.name}: {wrong} of {len(pred)} predictions are not in [0, 1]; train and evaluate again"
        )
    lines = round(participant.duration_s * LABEL_RATE_HZ)
    if participant.label:
        lines = len(read_labels(Path(participant.label)))
    values = np.concatenate([pred[:lines], np.full(max(lines - len(pred), 0), pred[-1])]).astype(np.float64)
    folder = FOLDERS[participant.corpus]
    name = f"{folder}/{participant.session}/{participant.participant}{SUFFIXES[edition]}"
    return SubmissionFile(participant, name, values, max(lines - len(pred), 0))


def write_submission(files: Sequence[SubmissionFile], path: Path) -> None:
    """Write the zip and read it back; the same files give the same bytes.

    Raises:
        InputError: What was read back differs from what was written.
    """
    with whole_file(path) as temporary:
        _pack(files, temporary)
        _check(files, temporary)


def _pack(files: Sequence[SubmissionFile], path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for file in sorted(files, key=lambda f: f.name):
            member = zipfile.ZipInfo(file.name, EPOCH)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = 0o644 << 16
            member.create_system = 3  # Unix, wherever it is made
            archive.writestr(member, file.text)


def _check(files: Sequence[SubmissionFile], path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        if archive.testzip() or sorted(archive.namelist()) != sorted(file.name for file in files):
            raise InputError(f"{path}: read back other files than were written; check the disk, then run again")
        for file in files:
            values = [float(line) for line in archive.read(file.name).decode("ascii").splitlines()]
            if len(values) != len(file.values) or np.abs(values - file.values).max() > 0.51 * 10**-DECIMALS:
                raise InputError(f"{path}: {file.name} was read back with other numbers; check the disk, run again")


def count_lines(files: Sequence[SubmissionFile]) -> list[tuple[str, int, int, int]]:
    """(folder, sessions, files, lines) of each corpus."""
    return [
        (
            FOLDERS[corpus],
            len({file.participant.session for file in members}),
            len(members),
            sum(len(file.values) for file in members),
        )
        for corpus, members in _by_corpus(files).items()
    ]


def shortcomings(files: Sequence[SubmissionFile], predicted: int) -> list[str]:
    """What a submission lacks, and what its owner should know: one line each.

    Args:
        files: Of the submission.
        predicted: How many of them were predicted now.
    """
    by_corpus = _by_corpus(files)
    notes = []
    for corpus, members in by_corpus.items():
        sessions = len({file.participant.session for file in members})
        official = len(SESSIONS[corpus]["test"]) if corpus in SESSIONS else sessions
        if sessions != official:
            notes.append(f"{FOLDERS[corpus]}: {sessions} sessions, the challenge's test split has {official}")
    notes += [f"{FOLDERS[corpus]}: no session" for corpus in SESSIONS if corpus not in by_corpus]
    repeated = [f"{file.participant.name} ({file.repeated})" for file in files if file.repeated]
    if repeated:
        notes.append(f"labels longer than the media; the last prediction was repeated for {some(repeated)}")
    if predicted:
        notes.append(f"{predicted} participants without labels were predicted now")
    return notes


def _by_corpus(files: Sequence[SubmissionFile]) -> dict[str, list[SubmissionFile]]:
    by_corpus: dict[str, list[SubmissionFile]] = defaultdict(list)
    for file in files:
        by_corpus[file.participant.corpus].append(file)
    return by_corpus
