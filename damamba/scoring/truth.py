"""Labels to score against: of our corpus, of aligned shards, of a folder with a manifest, of a release's tree."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from damamba.console import InputError
from damamba.corpus.agreement import read_label
from damamba.corpus.challenge import LABEL_SUFFIX, corpus_of, split_of
from damamba.corpus.labels import INVALID
from damamba.corpus.manifest import Manifest
from damamba.corpus.manifest_csv import read_csv
from damamba.corpus.release import SESSIONS
from damamba.data.shards import Aligned

FEMALE = "2"  # category of gender.annotation.csv; every other is male in the challenge's own script


@dataclass(frozen=True)
class Annotated:
    """One labelled participant, and what is known of them; "" where it is not."""

    corpus: str
    session: str
    participant: str
    split: str
    role: str
    language: str
    gender: str
    value: np.ndarray = field(compare=False)
    """(L,) float64, NaN where not annotated."""

    @property
    def key(self) -> tuple[str, str, str]:
        """(corpus, session, participant)."""
        return self.corpus, self.session, self.participant

    @property
    def name(self) -> str:
        """corpus/session/participant, as in messages."""
        return "/".join(self.key)


def read_truth(root: Path, split: str) -> list[Annotated]:
    """Labels of one split, or of ``all``; a tree whose folders name no split belongs to every one.

    Raises:
        InputError: There is no such folder, there are no labels, or a file is damaged.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; name the folder of the labels")
    if (root / "manifest.jsonl").is_file():
        found = list(_of_corpus(root))
    elif (root / "index.json").is_file():
        found = list(_of_shards(root))
    elif (root / "manifest.csv").is_file():
        found = list(_of_folder(root))
    else:
        found = list(_of_tree(root))
    if not found:
        raise InputError(
            f"{root}: no labels below it; expected SESSION/ROLE{LABEL_SUFFIX} as in the challenge's release, a "
            "manifest.csv with labels, data/corpus or data/aligned"
        )
    kept = [one for one in found if split == "all" or one.split in ("", split)]
    if not kept:
        there = ", ".join(f"{name} ({n})" for name, n in sorted(Counter(one.split for one in found).items()))
        raise InputError(f"{root}: nobody in the split {split} has labels; there are {there}: name one with --split")
    twice = [name for name, n in Counter(one.name for one in kept).items() if n > 1]
    if twice:
        raise InputError(f"{root}: labels of {twice[0]} stand there twice; name the folder of one release")
    return sorted(kept, key=lambda one: one.key)


def _of_corpus(root: Path) -> Iterator[Annotated]:
    """``data/corpus``, as the stage ingest writes it."""
    for p in Manifest.read(root / "manifest.jsonl").participants:
        path = p.shard(root / "labels")
        if path.is_file():
            value = read_column(path, "value", "dvc repro -f ingest")
            yield Annotated(p.corpus, p.session, p.participant, p.split, p.role, p.language, p.gender, value)


def _of_shards(root: Path) -> Iterator[Annotated]:
    """``data/aligned``, as the stage align writes it."""
    aligned = Aligned.read(root)
    for session in aligned.sessions:
        for seat in session.seats:
            if seat.labelled:
                value, valid = aligned.labels(session, seat.participant)
                known = session.corpus, session.session, seat.participant, session.split, seat.role, session.language
                yield Annotated(*known, "", np.where(valid, value, np.nan).astype(np.float64))


def _of_folder(root: Path) -> Iterator[Annotated]:
    """Own recordings; several annotators by their mean, as they answered: what ingest made of them is data/corpus."""
    for p in read_csv(root, "manifest.csv", "own"):
        if p.label:
            value = read_label(p.label, None, 0.0).value.astype(np.float64)
            yield Annotated(p.corpus, p.session, p.participant, p.split, p.role, p.language, p.gender, value)


def _of_tree(root: Path) -> Iterator[Annotated]:
    """A release: ``…/SESSION/ROLE.engagement.annotation.csv`` with language and gender beside it."""
    for path in sorted(root.rglob(f"*{LABEL_SUFFIX}")):
        role = path.name.removesuffix(LABEL_SUFFIX)
        if role.startswith("s."):  # the scene's view of MPIIGroupInteraction
            continue
        folders = path.parent.relative_to(root).parts[:-1]
        corpus = corpus_of(folders) or corpus_of(root.resolve().parts) or "-".join(folders) or root.resolve().name
        language = _category(path.with_name("language.annotation.csv"))
        gender = _category(path.with_name(f"{role}.gender.annotation.csv"))
        if gender:
            gender = "female" if gender == FEMALE else "male"
        session = path.parent.name
        split = split_of(folders) or (_official_split(corpus, session) if folders else "")
        yield Annotated(corpus, session, role, split, role, language, gender, read_values(path))


def _official_split(corpus: str, session: str) -> str:
    """Where no folder tells the split, as in MPIIGI's tree of 2024, the official session lists do."""
    return next((split for split, sessions in SESSIONS.get(corpus, {}).items() if session in sessions), "")


def _category(path: Path) -> str:
    """Third field of the first row of an annotation ``start;end;category;confidence``, or ""."""
    try:
        first = path.read_text(encoding="latin-1").partition("\n")[0].split(";")
    except FileNotFoundError:
        return ""
    return first[2].strip() if len(first) > 2 else ""


def read_values(path: Path) -> np.ndarray:
    """One number a line, (L,) float64; an empty line, ``nan`` and ``-nan(ind)`` are NaN.

    Raises:
        InputError: It is empty, or a line is something else.
    """
    lines = path.read_text(encoding="latin-1").split("\n")
    if not lines[-1]:
        lines.pop()  # the end of the last line, not an empty value
    if not lines:
        raise InputError(f"{path}: empty; expected one number a line, 25 a second")
    value = np.full(len(lines), np.nan)
    for i, line in enumerate(lines):
        if not INVALID.match(line):
            try:
                value[i] = float(line)
            except ValueError:
                raise InputError(
                    f"{path}, line {i + 1}: {line.strip()[:40]!r} is no number; one value a line, nan where invalid"
                ) from None
    return value


def read_column(path: Path, name: str, remedy: str) -> np.ndarray:
    """A column of a Parquet file of ours, (L,) float64 with NaN for null.

    Raises:
        InputError: It has no such column, or is damaged; `remedy` is the command that makes it.
    """
    try:
        column = pq.read_table(path, columns=[name])[name]
        return column.to_numpy().astype(np.float64)
    except (pa.ArrowInvalid, OSError, KeyError, ValueError) as error:
        reason = " ".join(str(error).split())[:100]
        raise InputError(f"{path}: no column {name!r} to be read ({reason}); make it again: {remedy}") from None
