"""A run's predictions of the test split, packed as the challenge wants them."""

import zipfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from damamba.config import LABEL_RATE_HZ, MAIN, LabelParams
from damamba.console import InputError, progress
from damamba.corpus.annotation_csv import read_labels, read_values
from damamba.corpus.challenge import CLASS_ENDING, ENDINGS, FOLDERS, PREDICTION, annotation_of
from damamba.corpus.manifest import Manifest, Participant
from damamba.corpus.release import ANNOTATIONS, CLASSES, ENGAGEMENT, FEATURES, LABEL_ENDING, N_SESSIONS
from damamba.files import whole_file
from damamba.metrics.base import most_probable
from damamba.scoring.predictions import label_path, read_prediction, stored_classes
from damamba.scoring.unpacking import opened
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
    """(lines,) float64 in [0, 1], or numbers of classes."""
    repeated: int
    """Lines at the end that repeat the last prediction, because the label is longer than the media."""
    classes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """One number, or name of a class, a line."""
        if self.classes:
            return "".join(f"{self.classes[int(value)]}\n" for value in self.values)
        return "".join(f"{value:.{DECIMALS}f}\n" for value in self.values)

    def is_in(self, text: str) -> bool:
        """Whether a text holds these values, up to the rounding of `text`."""
        if self.classes:
            return text == self.text
        values = np.array([float(line) for line in text.splitlines()])
        return len(values) == len(self.values) and np.abs(values - self.values).max() <= 0.51 * 10**-DECIMALS


def collect(data: Path, run: str, edition: int) -> tuple[list[SubmissionFile], int]:
    """Files of all participants of the test split, and how many of them were predicted now.

    The stage evaluate leaves out participants without labels; they are predicted here.

    Args:
        data: Folder of the pipeline, with corpus, predictions, models and aligned shards.
        run: VARIANT-SEED.
        edition: Of the challenge, which decides the file names.

    Raises:
        InputError: The test split is empty, a prediction is not in [0, 1] or of other classes than its corpus has, or
            something is missing.
    """
    manifest = Manifest.read(data / "corpus/manifest.jsonl")
    people = [p for p in manifest.participants if p.split == "test" and p.corpus in FOLDERS]
    if not people:
        there = some(sorted({f"{p.corpus} ({p.split})" for p in manifest.participants}))
        raise InputError(
            f"{data / 'corpus/manifest.jsonl'}: the test split of {', '.join(FOLDERS)} is empty; there are {there}"
        )
    files, now = [], set()
    for label in _labels_of(data / "models" / run):
        predictions = label_path(data / "predictions" / run, label)
        waiting = [p for p in people if not p.shard(predictions).is_file()]
        predicted, classes = predict_now(data, run, waiting, label) if waiting else ({}, ())
        now |= {p.key for p in waiting}
        for participant in people:
            own = replace(participant, label=participant.files_of(label))
            pred = predicted.get(participant.key)
            if pred is None:
                path = participant.shard(predictions)
                pred = read_prediction(path, run)
                files.append(submission_file(own, pred, edition, stored_classes(path)))
            else:
                files.append(submission_file(own, pred, edition, classes))
    return files, len(now)


def _labels_of(checkpoint: Path) -> list[str]:
    """Labels that a model predicts; one where the model itself is not there."""
    from damamba.model.checkpoint import read_description  # torch takes seconds to import

    return [MAIN, *(read_description(checkpoint).extra.get("also", {}) if checkpoint.is_dir() else ())]


def predict_now(
    data: Path, run: str, people: Sequence[Participant], label: str = MAIN
) -> tuple[dict[tuple[str, str, str], np.ndarray], tuple[str, ...]]:
    """Key of a participant -> prediction at the label rate, (L,); and the names of the classes that it numbers.

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
    predictor = partial(predict, model, WindowReader(aligned, grid), label=label)
    places = {
        (session.corpus, session.session, seat.participant): (session, number)
        for session in aligned.sessions
        for number, seat in enumerate(session.seats)
    }
    absent = [p.name for p in people if p.key not in places]
    if absent:
        raise InputError(f"{data / 'aligned/index.json'}: lacks {some(absent)}; make it again: dvc repro align")
    predicted = {p.key: predictor(*places[p.key]) for p in progress(people, "predict", unit="participant")}
    classes = aligned.of_label(label).annotated.classes
    return {key: most_probable(pred) if classes else pred for key, pred in predicted.items()}, classes


def submission_file(
    participant: Participant, pred: np.ndarray, edition: int, classes: tuple[str, ...] = ()
) -> SubmissionFile:
    """A participant's file: exactly as many lines as the label has, or would have.

    Args:
        participant: Of a corpus in `FOLDERS`.
        pred: (L,) in [0, 1], or numbers of classes.
        edition: Of the challenge.
        classes: Their names; none for numbers.

    Raises:
        InputError: A prediction is not in [0, 1], or the corpus has other labels than these.
    """
    annotation = annotation_of(classes)
    if annotation not in ANNOTATIONS[participant.corpus] or classes != CLASSES.get(annotation, ()):
        expected = " or ".join(ANNOTATIONS[participant.corpus])
        raise InputError(
            f"{participant.name}: the model predicts {', '.join(classes) or 'numbers'}, but the challenge scores "
            f"{expected} in this corpus: train on its labels (corpus.official.annotation, labels)"
        )
    wrong = int((~((pred >= 0) & (pred <= max(len(classes) - 1, 1)))).sum())
    if wrong or not len(pred):
        raise InputError(
            f"{participant.name}: {wrong} of {len(pred)} predictions are not in [0, 1]; train and evaluate again"
        )
    lines = round(participant.duration_s * LABEL_RATE_HZ)
    if participant.label.endswith(LABEL_ENDING) and classes:
        lines = len(read_values(Path(participant.label), LabelParams(kind="categorical", classes=classes)).value)
    elif participant.label and not classes:
        lines = len(read_labels(Path(participant.label)))
    values = np.concatenate([pred[:lines], np.full(max(lines - len(pred), 0), pred[-1])]).astype(np.float64)
    folder = FOLDERS[participant.corpus]
    ending = CLASS_ENDING if classes else ENDINGS[edition]
    name = f"{folder}/{participant.session}/{participant.participant}.{annotation}{ending}"
    return SubmissionFile(participant, name, values, max(lines - len(pred), 0), classes)


def read_added(paths: Sequence[Path], files: Sequence[SubmissionFile]) -> dict[str, str]:
    """Name -> text of the files of other submissions, such as those of a model of other labels.

    Args:
        paths: Zips.
        files: To which they are added.

    Raises:
        InputError: A zip cannot be read, or holds a file that is no prediction or that is there already.
    """
    added: dict[str, str] = {}
    for path in paths:
        with opened(path) as folder:
            for member in sorted(p for p in folder.rglob("*") if p.is_file()):
                name = member.relative_to(folder).as_posix()
                if len(Path(name).parts) != 3 or not PREDICTION.match(member.name):
                    raise InputError(f"{path}: {name[:80]!r} is no prediction of a submission; name what submit wrote")
                if name in added or name in [file.name for file in files]:
                    raise InputError(f"{path}: {name} is in the submission already; add only other corpora or labels")
                added[name] = member.read_text(encoding="ascii", errors="replace")
    return added


def write_submission(files: Sequence[SubmissionFile], path: Path, added: Mapping[str, str] | None = None) -> None:
    """Write the zip and read it back; the same files give the same bytes.

    Args:
        files: Of the run.
        path: Zip.
        added: Further files, as of `read_added`.

    Raises:
        InputError: What was read back differs from what was written.
    """
    with whole_file(path) as temporary:
        _pack({**(added or {}), **{file.name: file.text for file in files}}, temporary)
        _check(files, added or {}, temporary)


def _pack(texts: Mapping[str, str], path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(texts):
            member = zipfile.ZipInfo(name, EPOCH)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = 0o644 << 16
            member.create_system = 3  # Unix, wherever it is made
            archive.writestr(member, texts[name])


def _check(files: Sequence[SubmissionFile], added: Mapping[str, str], path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        if archive.testzip() or sorted(archive.namelist()) != sorted([*added, *(file.name for file in files)]):
            raise InputError(f"{path}: read back other files than were written; check the disk, then run again")
        for file in files:
            if not file.is_in(archive.read(file.name).decode("ascii")):
                raise InputError(f"{path}: {file.name} was read back with other numbers; check the disk, run again")


def count_lines(
    files: Sequence[SubmissionFile], added: Mapping[str, str] | None = None
) -> list[tuple[str, str, int, int, int]]:
    """(folder, annotation, sessions, files, lines) of each corpus and what is predicted in it."""
    names = {file.name: len(file.values) for file in files}
    names |= {name: text.count("\n") for name, text in (added or {}).items()}
    by_unit: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name in names:
        by_unit[_unit(name)].append(name)
    return [
        (*unit, len({name.split("/")[1] for name in members}), len(members), sum(names[name] for name in members))
        for unit, members in by_unit.items()
    ]


def _unit(name: str) -> tuple[str, str]:
    """Folder and annotation by the name of a file."""
    named = PREDICTION.match(name.split("/")[-1])
    return name.split("/")[0], named["annotation"] if named else ""


def shortcomings(
    files: Sequence[SubmissionFile], predicted: int, edition: int, added: Mapping[str, str] | None = None
) -> list[str]:
    """What a submission lacks, and what its owner should know: one line each.

    Args:
        files: Of the submission.
        predicted: How many of them were predicted now.
        edition: Of the challenge, which decides the corpora.
        added: Further files.
    """
    notes = []
    sessions = {(folder, annotation): n for folder, annotation, n, *_ in count_lines(files, added)}
    for corpus in FEATURES[edition]:
        official = N_SESSIONS[corpus]["test"]
        for annotation in ANNOTATIONS[corpus]:
            n = sessions.get((FOLDERS[corpus], annotation), 0)
            what = FOLDERS[corpus] if annotation == ENGAGEMENT else f"{FOLDERS[corpus]} {annotation}"
            if not n:
                notes.append(f"{what}: no session")
            elif n != official:
                notes.append(f"{what}: {n} sessions, the challenge's test split has {official}")
    repeated = [f"{file.participant.name} ({file.repeated})" for file in files if file.repeated]
    if repeated:
        notes.append(f"labels longer than the media; the last prediction was repeated for {some(repeated)}")
    if predicted:
        notes.append(f"{predicted} participants without labels were predicted now")
    return notes
