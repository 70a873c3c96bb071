"""`damamba submit`: a run's predictions of the test split, packed as the challenge wants them."""

import argparse
import zipfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from damamba.config import LABEL_RATE_HZ
from damamba.console import InputError, progress
from damamba.corpus.challenge import FOLDERS, SUFFIXES
from damamba.corpus.manifest import Manifest, Participant
from damamba.corpus.release import SESSIONS
from damamba.files import whole_file
from damamba.scoring.truth import read_column, read_values
from damamba.text import columns, some

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can say: same predictions, same bytes
DECIMALS = 6


@dataclass(frozen=True)
class Entry:
    """One file of the submission."""

    participant: Participant
    name: str
    """Inside the zip."""
    values: np.ndarray
    """(lines,) float64 in [0, 1]."""
    held: int
    """Lines at the end that repeat the last prediction: the label is longer than the media."""

    @property
    def text(self) -> str:
        """One number a line."""
        return "".join(f"{value:.{DECIMALS}f}\n" for value in self.values)


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "submit",
        help="pack a run's predictions for the challenge",
        description="Writes a zip with the challenge's folders and file names, six decimals, a line for every label "
        "frame of every participant of the test split, and reads it back. Participants without labels, whom the "
        "stage evaluate leaves out, are predicted now.",
    )
    parser.add_argument("name", metavar="RUN", help="VARIANT-SEED, as in data/models and data/predictions")
    parser.add_argument("out", type=Path, metavar="OUT.zip")
    parser.add_argument("--edition", type=int, choices=sorted(SUFFIXES), required=True, help="decides the file names")
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="DIR", help="default: %(default)s")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Collect, pack, read back, print; raises `InputError` where that would not be a submission."""
    if options.out.suffix != ".zip":
        raise InputError(f"{options.out}: the challenge takes a zip; name a file that ends in .zip")
    manifest = Manifest.read(options.data / "corpus/manifest.jsonl")
    people = [p for p in manifest.participants if p.split == "test" and p.corpus in FOLDERS]
    if not people:
        there = some(sorted({f"{p.corpus} ({p.split})" for p in manifest.participants}))
        raise InputError(
            f"{options.data / 'corpus/manifest.jsonl'}: nobody in the test split of {', '.join(FOLDERS)}; "
            f"there are {there}"
        )
    predictions = options.data / "predictions" / options.name
    waiting = [p for p in people if not p.shard(predictions).is_file()]
    predicted = predict_now(options.data, options.name, waiting) if waiting else {}
    entries = []
    for participant in people:
        pred = predicted.get(participant.key)
        if pred is None:
            remedy = f"dvc repro -f evaluate@{options.name}"
            pred = read_column(participant.shard(predictions), "prediction", remedy)
        entries.append(entry(participant, pred, options.edition))
    with whole_file(options.out) as temporary:
        pack(entries, temporary)
        check(entries, temporary)
    print("\n".join(summary(entries, options.out, len(waiting))))


def predict_now(data: Path, name: str, people: list[Participant]) -> dict[tuple[str, str, str], np.ndarray]:
    """Predictions of participants whom the stage evaluate left out, by key; at the label rate.

    Raises:
        InputError: The model or the shards are not there, or somebody is not among them.
    """
    from damamba.config import WindowParams, parse_section  # torch takes seconds to import
    from damamba.data.batch import WindowReader
    from damamba.data.shards import Aligned
    from damamba.data.windows import WindowGrid
    from damamba.inference import predict
    from damamba.model import load_model
    from damamba.model.checkpoint import read_description

    checkpoint = data / "models" / name
    window = parse_section(WindowParams, read_description(checkpoint).extra["window"], f"{checkpoint}: window")
    model = load_model(checkpoint)
    aligned = Aligned.read(data / "aligned")
    reader = WindowReader(aligned, WindowGrid.of(window))
    seats = {
        (session.corpus, session.session, seat.participant): (session, number)
        for session in aligned.sessions
        for number, seat in enumerate(session.seats)
    }
    absent = [p.name for p in people if p.key not in seats]
    if absent:
        raise InputError(f"{data / 'aligned/index.json'}: lacks {some(absent)}; make it again: dvc repro align")
    return {p.key: predict(model, reader, *seats[p.key]) for p in progress(people, "predict", unit="participant")}


def entry(participant: Participant, pred: np.ndarray, edition: int) -> Entry:
    """A participant's file: exactly as many lines as the label has, or would have.

    Raises:
        InputError: A prediction is not in [0, 1].
    """
    wrong = int((~((pred >= 0) & (pred <= 1))).sum())
    if wrong or not len(pred):
        raise InputError(
            f"{participant.name}: {wrong} of {len(pred)} predictions are no numbers in [0, 1]; train and evaluate again"
        )
    lines = round(participant.duration_s * LABEL_RATE_HZ)
    if participant.label:
        lines = len(read_values(Path(participant.label)))
    values = np.concatenate([pred[:lines], np.full(max(lines - len(pred), 0), pred[-1])]).astype(np.float64)
    folder = FOLDERS[participant.corpus]
    name = f"{folder}/{participant.session}/{participant.participant}{SUFFIXES[edition]}"
    return Entry(participant, name, values, max(lines - len(pred), 0))


def pack(entries: list[Entry], path: Path) -> None:
    """Write the zip; the same entries give the same bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for one in sorted(entries, key=lambda e: e.name):
            member = zipfile.ZipInfo(one.name, EPOCH)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = 0o644 << 16
            member.create_system = 3  # Unix, wherever it is made
            archive.writestr(member, one.text)


def check(entries: list[Entry], path: Path) -> None:
    """Read the zip back and compare with what was to be written.

    Raises:
        InputError: It differs.
    """
    with zipfile.ZipFile(path) as archive:
        if archive.testzip() or sorted(archive.namelist()) != sorted(e.name for e in entries):
            raise InputError(f"{path}: not what was written; is the disk in order? Run again")
        for one in entries:
            read = [float(line) for line in archive.read(one.name).decode("ascii").splitlines()]
            if len(read) != len(one.values) or np.abs(np.array(read) - one.values).max() > 0.51 * 10**-DECIMALS:
                raise InputError(f"{path}: {one.name} differs from its prediction; is the disk in order? Run again")


def summary(entries: list[Entry], out: Path, predicted: int) -> list[str]:
    """What is in the zip, and what a submission would lack."""
    by_corpus: dict[str, list[Entry]] = defaultdict(list)
    for one in entries:
        by_corpus[one.participant.corpus].append(one)
    rows, notes = [], []
    for corpus, held in by_corpus.items():
        sessions = len({one.participant.session for one in held})
        rows.append([FOLDERS[corpus], str(sessions), str(len(held)), str(sum(len(one.values) for one in held))])
        official = len(SESSIONS[corpus]["test"]) if corpus in SESSIONS else sessions
        if sessions != official:
            notes.append(f"{FOLDERS[corpus]}: {sessions} sessions, the challenge's test split has {official}")
    notes += [f"{FOLDERS[corpus]}: no session" for corpus in SESSIONS if corpus not in by_corpus]
    repeated = [f"{one.participant.name} ({one.held})" for one in entries if one.held]
    if repeated:
        notes.append(f"the label outlasts the media; the last prediction was repeated for {some(repeated)}")
    if predicted:
        notes.append(f"{predicted} participants without labels were predicted now")
    table = columns(["folder", "sessions", "files", "lines"], rows)
    return [*table, "", *(f"note: {note}" for note in notes), f"{out}: {len(entries)} files, read back and equal"]
