"""Labels to score against: data/corpus, data/aligned, a folder with a manifest, or a release's tree."""

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from damamba.config import CONTINUOUS, MAIN, LabelParams
from damamba.console import InputError
from damamba.corpus.agreement import read_label
from damamba.corpus.annotation_csv import in_unit_range, read_values
from damamba.corpus.challenge import LABEL_SUFFIX, annotation_of, corpus_of, scored_as, split_of
from damamba.corpus.manifest import Manifest, label_folder
from damamba.corpus.manifest_csv import read_csv
from damamba.corpus.release import ANNOTATIONS, CLASSES, ENGAGEMENT, LABEL_ENDING, SESSIONS, gender_of
from damamba.scoring.groups import attributes
from damamba.scoring.predictions import read_column, stored_classes

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LabelledSeries:
    """Labels of one participant in one session, with what is known of the participant; "" where it is unknown."""

    corpus: str
    """As `scored_as` names it."""
    session: str
    participant: str
    split: str
    role: str
    language: str
    gender: str
    value: np.ndarray = field(compare=False)
    """(L,) float64, NaN where not annotated; of classes, their numbers."""
    classes: tuple[str, ...] = ()
    """Names of the classes; none for numbers in [0, 1]."""
    attributes: dict[str, str] = field(default_factory=dict, compare=False)
    """What the participant can be grouped by, where there is a manifest: as of `groups.attributes`."""

    @property
    def key(self) -> tuple[str, str, str]:
        """(corpus, session, participant)."""
        return self.corpus, self.session, self.participant

    @property
    def name(self) -> str:
        """corpus/session/participant, as in messages."""
        return "/".join(self.key)

    @property
    def annotated(self) -> LabelParams:
        """Kind of the labels. Whether classes have an order does not matter to kappa."""
        return LabelParams(kind="categorical", classes=self.classes) if self.classes else CONTINUOUS


def read_truth(root: Path, split: str, label: str = MAIN) -> list[LabelledSeries]:
    """Labels of one split, or of ``all``; a tree whose folders name no split belongs to every split.

    `label` is one of `labels.also`; a release's tree has all annotations, told apart by their names, and needs none.

    Raises:
        InputError: There is no such folder, there are no labels, or a file is damaged.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; name the folder of the labels")
    if (root / "manifest.jsonl").is_file():
        labels = list(_of_corpus(root, label))
    elif (root / "index.json").is_file():
        labels = list(_of_shards(root, label))
    elif (root / "manifest.csv").is_file():
        labels = list(_of_folder(root, label))
    elif label:
        raise InputError(
            f"{root}: --label is for data/corpus, data/aligned and folders with a manifest.csv; leave it out"
        )
    else:
        labels = list(_of_tree(root))
    if not labels and label:
        raise InputError(
            f"{root}: no participant has the label {label}; name one that labels.also had when it was made"
        )
    if not labels:
        raise InputError(
            f"{root}: no labels below it; expected SESSION/ROLE{LABEL_SUFFIX} as in the challenge's release, a "
            "manifest.csv with labels, data/corpus or data/aligned"
        )
    of_split = [one for one in labels if split == "all" or one.split in ("", split)]
    if not of_split:
        there = ", ".join(f"{name} ({n})" for name, n in sorted(Counter(one.split for one in labels).items()))
        raise InputError(f"{root}: the split {split} has no labels; there are {there}: name one with --split")
    twice = [name for name, n in Counter(one.name for one in of_split).items() if n > 1]
    if twice:
        raise InputError(f"{root}: two files of labels for {twice[0]}; name the folder of one release")
    return sorted(of_split, key=lambda one: one.key)


def _of_corpus(root: Path, label: str) -> Iterator[LabelledSeries]:
    """``data/corpus``, as the stage ingest writes it."""
    people = Manifest.read(root / "manifest.jsonl").participants
    by = attributes(people)
    for p in people:
        if p.files_of(label):
            path = p.shard(root / label_folder(label))
            classes = stored_classes(path)
            value = read_column(path, "value", "dvc repro -f ingest")
            known = p.session, p.participant, p.split, p.role, p.language, p.gender
            yield LabelledSeries(scored_as(p.corpus, annotation_of(classes)), *known, value, classes, by[p.key])


def _of_shards(root: Path, label: str) -> Iterator[LabelledSeries]:
    """``data/aligned``, as the stage align writes it."""
    from damamba.data.shards import Aligned  # loads torch, which `damamba --help` need not wait for

    aligned = Aligned.read(root)
    if label and label not in aligned.also:
        return
    aligned = aligned.of_label(label)
    classes = aligned.annotated.classes
    for session in aligned.sessions:
        for seat in session.seats:
            if seat.labelled:
                value, valid = aligned.labels(session, seat.participant)
                corpus = scored_as(session.corpus, annotation_of(classes))
                known = corpus, session.session, seat.participant, session.split, seat.role, session.language
                yield LabelledSeries(*known, "", np.where(valid, value, np.nan).astype(np.float64), classes)


def _of_folder(root: Path, label: str) -> Iterator[LabelledSeries]:
    """A folder of your own recordings. Several annotators are averaged without lag; data/corpus has ingest's merge."""
    people = read_csv(root, "manifest.csv", "own", (label,) if label else ())
    by = attributes(people)
    for p in people:
        if files := p.files_of(label):
            read = read_label(files, None, 0.0)
            for note in read.notes:
                logger.warning("note: %s", note)
            value = read.labels.value.astype(np.float64)
            known = p.corpus, p.session, p.participant, p.split, p.role, p.language, p.gender
            yield LabelledSeries(*known, value, attributes=by[p.key])


def _of_tree(root: Path) -> Iterator[LabelledSeries]:
    """A release: ``…/SESSION/ROLE.engagement.annotation.csv`` and the like, with language and gender beside it."""
    annotations = (ENGAGEMENT, *(a for a in CLASSES if any(a in scored for scored in ANNOTATIONS.values())))
    for annotation, path in sorted((a, p) for a in annotations for p in root.rglob(f"*.{a}{LABEL_ENDING}")):
        role = path.name.removesuffix(f".{annotation}{LABEL_ENDING}")
        if role.startswith("s."):  # the scene's view of MPIIGroupInteraction
            continue
        folders = path.parent.relative_to(root).parts[:-1]
        corpus = corpus_of(folders) or corpus_of(root.resolve().parts) or "-".join(folders) or root.resolve().name
        language = _category(path.with_name("language.annotation.csv"))
        gender = gender_of(_category(path.with_name(f"{role}.gender.annotation.csv")))
        session = path.parent.name
        split = split_of(folders) or (_official_split(corpus, session) if folders else "")
        known = scored_as(corpus, annotation), session, role, split, role, language, gender
        if classes := CLASSES.get(annotation, ()):
            labels = LabelParams(kind="categorical", classes=classes)
            yield LabelledSeries(*known, read_values(path, labels).value, classes)
        else:
            yield LabelledSeries(*known, _values(path))


def _values(path: Path) -> np.ndarray:
    """(L,) float64 labels of one file."""
    series = in_unit_range(path, read_values(path))
    if series.perhaps_header:
        logger.warning("note: %s: its first line is 0; if that is the name of a column, remove the line", path)
    return series.value


def _official_split(corpus: str, session: str) -> str:
    """Split by the official session lists, for trees whose folders do not name it, such as MPIIGI's of 2024."""
    return next((split for split, sessions in SESSIONS.get(corpus, {}).items() if session in sessions), "")


def _category(path: Path) -> str:
    """Third field of the first row of an annotation ``start;end;category;confidence``, or ""."""
    try:
        first = path.read_text(encoding="latin-1").partition("\n")[0].split(";")
    except FileNotFoundError:
        return ""
    return first[2].strip() if len(first) > 2 else ""
