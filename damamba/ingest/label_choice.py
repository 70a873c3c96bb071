"""Which of the label files of a participant are annotations of one thing, and by whom.

The name of a file says what was rated and by whom: ``anna.engagement.rater1.csv``. So do the header of a NOVA file,
the tiers of an ELAN document and the first line of a CSV. Files that name something else, or nothing that is known, are
left out and listed.
"""

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from damamba.console import InputError
from damamba.corpus.eaf import read_eaf
from damamba.corpus.manifest import ANNOTATORS
from damamba.corpus.ssi_annotation import read_scheme
from damamba.corpus.text_table import sniff

SEPARATORS = re.compile(r"[_.\-\s@]+")
GENERIC = {"annotation", "annotations", "label", "labels", "value", "values", "score", "rating", "ratings", "default"}
"""Words that name neither what was rated nor a person."""
PREDICTED = {"prediction", "predictions", "pred"}
RATER = re.compile(r"(rater|annotator|anno|coder|judge|observer|reviewer)?\d{0,3}|[a-z]\d{0,3}")
"""Words that stand for an annotator where the name does not say what was rated."""
SUFFIXES = (".csv", ".txt", ".annotation", ".eaf")
"""Of two files of the same annotations, the one whose ending stands first is taken."""


@dataclass(frozen=True)
class LabelFile:
    """A label file beside a video."""

    path: str
    """Relative to the folder of the recordings."""
    words: tuple[str, ...]
    """Words of its name after those of the video."""


@dataclass(frozen=True)
class LeftOut:
    """A label file, or a tier of one, that is not used."""

    path: str
    kind: str
    """What it seems to be, or why it is not used."""


@dataclass(frozen=True)
class LabelChoice:
    """The label of a participant."""

    files: tuple[str, ...]
    """As in the manifest, one an annotator."""
    left_out: tuple[LeftOut, ...]

    @property
    def label(self) -> str:
        """The field of the manifest."""
        return ANNOTATORS.join(self.files)


@dataclass(frozen=True)
class _Candidate:
    path: str
    by_name: bool
    """Whether the name of the file has the scheme."""
    by_header: bool
    """Whether its header or tier has it."""
    annotator: str
    """"" where it names none."""


def choose(
    root: Path, files: Sequence[LabelFile], scheme: str, own: Set[str] = frozenset(), others: Set[str] = frozenset()
) -> LabelChoice:
    """Choose the files that annotate `scheme`.

    Args:
        root: Folder of the recordings.
        files: Label files of the participant.
        scheme: What is rated, such as ``engagement``; a file that names nothing is taken for it if none names it.
        own: Words that name the participant.
        others: Words that name the other participants of the session.
    """
    neutral = GENERIC | own
    candidates: list[_Candidate] = []
    left_out: list[LeftOut] = []
    for file in files:
        for path, words, header in _parts(root, file):
            if ANNOTATORS in path:
                left_out.append(LeftOut(path, f"a name with {ANNOTATORS!r}, which separates files: rename it"))
                continue
            found = _classify(path, words, header, scheme.lower(), neutral, others)
            if isinstance(found, LeftOut):
                left_out.append(found)
            else:
                candidates.append(found)
    pool = [one for one in candidates if one.by_name] or candidates
    left_out += [LeftOut(one.path, f"{pool[0].path} names {scheme}") for one in candidates if one not in pool]
    pool.sort(key=lambda one: (one.annotator, not one.by_header, _rank(one.path), one.path))
    chosen: dict[str, str] = {}
    for one in pool:
        first = chosen.get("", chosen.get(one.annotator))
        if first:
            left_out.append(LeftOut(one.path, f"{first} is taken"))
        else:
            chosen[one.annotator] = one.path
    return LabelChoice(tuple(chosen.values()), tuple(left_out))


def _classify(
    path: str, words: Sequence[str], header: str, scheme: str, neutral: Set[str], others: Set[str]
) -> _Candidate | LeftOut:
    """A candidate, or why the file is none.

    Args:
        path: File, perhaps with its tier.
        words: Of the file's name and of its tier.
        header: What was rated, by the header or the tier; "" where it names nothing.
        scheme: As in `choose`, in small letters.
        neutral: Words that name neither what was rated nor an annotator.
        others: As in `choose`.
    """
    own = [word for word in words if word not in neutral]
    rated = [word for word in words_of(header) if word not in neutral]
    if PREDICTED & {*own, *rated}:
        return LeftOut(path, "predictions")
    if others & {*own, *rated}:
        return LeftOut(path, "of another participant")
    if scheme not in rated:
        unknown = [word for word in rated if not RATER.fullmatch(word)]
        unknown += [word for word in own if not RATER.fullmatch(word) and scheme not in own]
        if unknown:
            return LeftOut(path, unknown[0])
    annotator = "-".join(word for word in [*own, *rated] if word != scheme)
    return _Candidate(path, scheme in own, scheme in rated, annotator)


def _parts(root: Path, file: LabelFile) -> list[tuple[str, tuple[str, ...], str]]:
    """Path, words and header of each annotation in a file; a file that cannot be read has no header."""
    path = root / file.path
    suffix = path.suffix.lower()
    try:
        if suffix == ".eaf":
            tiers = [tier.name for tier in read_eaf(path).tiers if tier.n_annotations]
            if len(tiers) == 1:
                return [(file.path, file.words, tiers[0])]
            return [(f"{file.path}#{tier}", file.words, tier) for tier in tiers] or [(file.path, file.words, "")]
        header = read_scheme(path)[0].name if suffix == ".annotation" else sniff(path).scheme
    except InputError:
        header = ""  # the check of the chosen files reports it
    return [(file.path, file.words, header)]


def words_of(name: str) -> list[str]:
    """The words of a name, in small letters."""
    return [word for word in SEPARATORS.split(name.lower()) if word]


def _rank(path: str) -> int:
    suffix = Path(path.partition("#")[0]).suffix.lower()
    return SUFFIXES.index(suffix) if suffix in SUFFIXES else len(SUFFIXES)
