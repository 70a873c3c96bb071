"""Annotations of engagement in the formats of several tools (CSV, SSI/NOVA, ELAN), read and written.

Annotations come at any rate or as stretches of time; labels are at 25 Hz.

slider or tiers        ──▔▔▔──▁▁──▔▔────        values over stretches of time
moved by lag_s       ──▔▔▔──▁▁──▔▔────          annotators respond late
labels, 25 Hz        ·│·│·│·│ │·│·│·│·          mean over each 1/25 s; valid where half of it is annotated
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from damamba.config import CONTINUOUS, LABEL_RATE_HZ, LabelParams
from damamba.console import InputError
from damamba.corpus.annotation_csv import read_columns
from damamba.corpus.coders import read_coder
from damamba.corpus.eaf import Stretch, Tier, read_eaf, write_eaf
from damamba.corpus.exchange import parse_number
from damamba.corpus.label_values import parse_label, unknown_class
from damamba.corpus.labels import INVALID, Labels, write_values
from damamba.corpus.ssi_annotation import ROW_DTYPES, Scheme, SsiAnnotation, read_ssi_annotation, write_ssi_annotation

UNIT = (0.0, 1.0)
MAX_S = 86_400.0
"""One day; a later time must be in another unit."""
OVERLAP_S = 1e-3
"""Stretches may overlap by this, because times are often rounded to milliseconds."""
MIN_COVERED = 0.5
"""Share of a label's 1/25 s that must be annotated."""
DECIMALS = 6
"""Of a value in ELAN's texts."""
SUFFIXES = (".csv", ".txt", ".annotation", ".eaf")


@dataclass(frozen=True)
class Annotation:
    """Values of one annotator over stretches of time, in order; time between stretches is not annotated."""

    start_s: np.ndarray
    """(N,) float64, on the session's clock."""
    end_s: np.ndarray
    """(N,) float64."""
    value: np.ndarray
    """(N,) float32 in [0, 1], or the number of a class; NaN where not valid."""
    annotator: str = ""
    series: bool = False
    """Whether it has a value for every moment, so that it must be as long as the recording; else gaps and an early end
    are intended."""
    lines: bool = False
    """Whether it has one value a line, so that its rate is assumed."""
    scheme: str = ""
    """Name of what was rated; "" where the file does not name it."""
    perhaps_header: bool = False
    """Whether its first value may be the name of a column, as pandas writes 0."""
    n_classes: int = 0
    """0 for continuous values."""

    @property
    def valid(self) -> np.ndarray:
        """(N,) bool."""
        return np.isfinite(self.value)

    def __len__(self) -> int:
        return len(self.value)

    def without_first(self) -> "Annotation":
        """Without its first value; the others move up."""
        return replace(
            self, start_s=self.start_s[:-1], end_s=self.end_s[:-1], value=self.value[1:], perhaps_header=False
        )

    def labels(self, length: int | None = None, lag_s: float = 0.0) -> Labels:
        """Labels at 25 Hz: the mean value over each label's 1/25 s, or the class that lasts longest in it.

        Args:
            length: Number of labels; None: as long as the annotation.
            lag_s: Delay of the annotator, s: the value at t is taken as the response to t - lag_s.
        """
        grid_s = np.arange(len(self) + 1) / LABEL_RATE_HZ
        if not lag_s and np.array_equal(self.start_s, grid_s[:-1]) and np.array_equal(self.end_s, grid_s[1:]):
            return Labels(self.value, self.valid).resized(len(self) if length is None else length)
        times_s = np.stack([self.start_s, self.end_s], axis=1) - lag_s
        if length is None:
            end_s = times_s.max(initial=0.0)
            length = int(np.ceil(np.round(end_s * LABEL_RATE_HZ, 3)))
        covered_s = np.where(self.valid, times_s[:, 1] - times_s[:, 0], 0.0)
        knots_s = np.maximum.accumulate(times_s.ravel())
        edges_s = np.arange(length + 1) / LABEL_RATE_HZ
        if self.n_classes:
            by_class = [np.where(self.value == k, covered_s, 0.0) for k in range(self.n_classes)]
            lasting_s = np.stack([_integral(knots_s, part, edges_s) for part in by_class])
            valid = lasting_s.sum(0) >= MIN_COVERED / LABEL_RATE_HZ - 1e-9
            return Labels(np.where(valid, lasting_s.round(9).argmax(0), np.nan).astype(np.float32), valid)
        weighted_s = np.where(self.valid, self.value, 0.0) * covered_s
        covered_s, weighted_s = (_integral(knots_s, part, edges_s) for part in (covered_s, weighted_s))
        valid = covered_s >= MIN_COVERED / LABEL_RATE_HZ - 1e-9
        value = np.full(length, np.nan, np.float32)
        value[valid] = np.clip(weighted_s[valid] / covered_s[valid], 0, 1)
        return Labels(value, valid)


def _integral(knots_s: np.ndarray, parts: np.ndarray, edges_s: np.ndarray) -> np.ndarray:
    """Amount between neighbouring edges, where each stretch spreads its part of `parts` evenly over its time.

    Args:
        knots_s: (2 N,) start and end of each stretch.
        parts: (N,).
        edges_s: (L + 1,).

    Returns:
        (L,).
    """
    if not len(knots_s):
        return np.zeros(len(edges_s) - 1)
    ends = np.cumsum(parts)
    sums = np.stack([ends - parts, ends], axis=1).ravel()
    return np.diff(np.interp(edges_s, knots_s, sums))


def in_steps(labels: Labels, step_s: float) -> Annotation:
    """Means over steps of `step_s`, for tools that show stretches; a step is valid if half of its labels are.

    Raises:
        InputError: `step_s` is not a whole number of labels.
    """
    per_step = round(step_s * LABEL_RATE_HZ) if 0 < step_s <= MAX_S else 0
    if per_step < 1 or abs(per_step / LABEL_RATE_HZ - step_s) > 1e-9:
        raise InputError(
            f"a step of {step_s:g} s is not a whole number of labels; use a multiple of {1 / LABEL_RATE_HZ} s"
        )
    starts = np.arange(0, len(labels), per_step)
    counts = np.minimum(starts + per_step, len(labels)) - starts
    if not len(starts):
        return Annotation(np.empty(0), np.empty(0), np.empty(0, np.float32))
    n_valid = np.add.reduceat(labels.valid.astype(int), starts)
    sums = np.add.reduceat(np.where(labels.valid, labels.value, 0).astype(np.float64), starts)
    value = np.where(n_valid >= np.maximum(MIN_COVERED * counts, 1), sums / np.maximum(n_valid, 1), np.nan)
    return Annotation(starts / LABEL_RATE_HZ, (starts + counts) / LABEL_RATE_HZ, value.astype(np.float32))


def read_annotation(
    path: Path,
    tier: str | None = None,
    *,
    value_range: tuple[float, float] | None = None,
    rate_hz: float = LABEL_RATE_HZ,
    labels: LabelParams = CONTINUOUS,
) -> Annotation:
    """Read an annotation of engagement; the format follows from the file's ending.

    Args:
        path: ``.csv`` or ``.txt``: one value a line, or columns ``start;end;value`` (s); ``.annotation``: SSI or NOVA,
            with the ``.annotation~`` beside it; ``.eaf``: ELAN, a tier whose texts are numbers. Other tiers of the
            document need not be sound. ``.yaml``: PInSoRo's public annotations.
        tier: Name of an ELAN tier, or role in a YAML file; None: the only tier with annotations.
        value_range: Smallest and largest value, which become 0 and 1; None: [0, 1], or the range of a NOVA scheme.
        rate_hz: Rate of a CSV with one value a line.
        labels: Kind of the values, and their classes.

    Raises:
        InputError: The file cannot be read as this format, or a class is unknown; the message has the place, what was
            expected and what to do.
    """
    suffix = path.suffix.lower().removesuffix("~")
    if value_range and not -np.inf < value_range[0] < value_range[1] < np.inf:
        raise InputError(f"{value_range[0]:g} to {value_range[1]:g}: not a range of values; give the smaller one first")
    if not 0 < rate_hz < np.inf:
        raise InputError(f"{rate_hz:g} Hz is not a rate; give a number above 0")
    if suffix == ".yaml" and tier is not None and labels.classes:
        return _from_coder(path, tier, labels)
    if suffix not in SUFFIXES:
        raise InputError(f"{path}: annotations end in {', '.join(SUFFIXES)}; export it as one of them")
    if tier is not None and suffix != ".eaf":
        raise InputError(f"{path}: only ELAN files (.eaf) have tiers; leave out the tier")
    if suffix == ".eaf":
        return _from_eaf(path, tier, value_range or UNIT, labels)
    if suffix == ".annotation":
        return _from_ssi(path, value_range, labels)
    rows = read_columns(path, rate_hz, labels)
    read = _checked(
        rows.start_s, rows.end_s, rows.value, value_range or UNIT, "", lambda i: f"{path}, line {rows.line[i]}", labels
    )
    return replace(read, series=rows.series, lines=rows.series, scheme=rows.scheme, perhaps_header=rows.perhaps_header)


def write_annotation(
    path: Path,
    labels: Labels,
    *,
    tier: str = "engagement",
    annotator: str = "",
    role: str = "",
    step_s: float = 1.0,
    media: Sequence[str] = (),
) -> None:
    """Write labels or predictions for an annotation tool; the format follows from the file's ending.

    Args:
        path: ``.csv``: one value a line at 25 Hz, the challenge's format; ``.annotation``: a continuous scheme of
            25 Hz for NOVA; ``.eaf``: an ELAN tier with the mean over each `step_s` as text.
        labels: Frames that are not valid become NaN; in ELAN they have no annotation.
        tier: Name of the tier or scheme.
        annotator: Name of the person or model that the values come from.
        role: Role of the annotated participant, for NOVA.
        step_s: Length of a step in ELAN, s.
        media: Names of videos or sounds beside `path` that ELAN opens with it.

    Raises:
        InputError: An unknown ending, a step that is not a whole number of labels, or a name with characters that XML
            does not allow.
    """
    match path.suffix.lower():
        case ".csv" | ".txt":
            write_values(path, labels.value)
        case ".annotation":
            rows = np.ones(len(labels), ROW_DTYPES["CONTINUOUS"])
            rows["score"] = labels.value
            rows["conf"] = labels.valid
            write_ssi_annotation(path, SsiAnnotation(Scheme(tier, "CONTINUOUS", LABEL_RATE_HZ), rows, role, annotator))
        case ".eaf":
            steps = in_steps(labels, step_s)
            valid = zip(steps.start_s[steps.valid], steps.end_s[steps.valid], steps.value[steps.valid], strict=True)
            stretches = tuple(Stretch(float(a), float(b), _short(value)) for a, b, value in valid)
            write_eaf(path, [Tier(tier, stretches, annotator)], media)
        case _:
            raise InputError(f"{path}: annotations end in {', '.join(SUFFIXES)}; give the file one of these endings")


def _short(value: float) -> str:
    return f"{value:.{DECIMALS}f}".rstrip("0").removesuffix(".")


def _from_eaf(path: Path, name: str | None, value_range: tuple[float, float], labels: LabelParams) -> Annotation:
    document = read_eaf(path)
    filled = [tier.name for tier in document.tiers if tier.n_annotations]
    names = [tier.name for tier in document.tiers]
    fitting = filled if name is None else [tier for tier in names if tier == name]
    if len(fitting) != 1:
        known = ", ".join(repr(tier[:40])[1:-1] for tier in names[:12]) or "none"
        wanted = f"one tier {name!r}" if name is not None else "one tier with annotations"
        raise InputError(f"{path}: expected {wanted}, found {len(fitting)}; name one of its tiers: {known}")
    tier = document.tier(fitting[0])
    start_s, end_s = (np.array([stretch[i] for stretch in tier.stretches], np.float64) for i in (0, 1))

    def place(i: int) -> str:
        return f"{path}, tier {tier.name[:40]!r} at {start_s[i]:g} s"

    values = _values([stretch.text for stretch in tier.stretches], place, labels)
    return replace(_checked(start_s, end_s, values, value_range, tier.annotator, place, labels), scheme=tier.name)


def _from_coder(path: Path, role: str, labels: LabelParams) -> Annotation:
    stretches = read_coder(path, role, labels)
    start_s, end_s, value = (np.array([one[i] for one in stretches], np.float64) for i in range(3))
    return _checked(start_s, end_s, value, UNIT, path.name.split(".")[-2], lambda i: stretches[i].place, labels)


def _from_ssi(path: Path, value_range: tuple[float, float] | None, labels: LabelParams) -> Annotation:
    read = read_ssi_annotation(path)
    scheme, rows = read.scheme, read.rows

    def place(i: int) -> str:
        return f"{path.with_name(path.name.removesuffix('~'))}~, row {i + 1}"

    if scheme.type == "CONTINUOUS":
        if labels.classes:
            raise InputError(
                f"{path}: a continuous scheme, but labels.kind is {labels.kind}; name files of classes, or set "
                "labels.kind to continuous: all corpora of a project have labels of one kind"
            )
        edges_s = np.arange(len(rows) + 1) / scheme.rate_hz
        own_range = value_range or (scheme.least, scheme.most)
        checked = _checked(edges_s[:-1], edges_s[1:], rows["score"], own_range, read.annotator, place)
        return replace(checked, series=True, scheme=scheme.name)
    rows = rows[np.argsort(rows["from"], kind="stable")]
    if scheme.type == "DISCRETE" and (unknown := set(rows["id"][rows["id"] >= 0].tolist()) - set(scheme.classes)):
        raise InputError(f"{path}: class {min(unknown)} of its rows is not in <scheme>; save it again with NOVA")
    names = rows["label"] if scheme.type == "FREE" else [scheme.classes.get(i, "") for i in rows["id"].tolist()]
    values = _values([str(name) for name in names], place, labels)
    checked = _checked(rows["from"], rows["to"], values, value_range or UNIT, read.annotator, place, labels)
    return replace(checked, scheme=scheme.name)


def _values(texts: Sequence[str], place: Callable[[int], str], labels: LabelParams) -> np.ndarray:
    """Numbers that the texts stand for, NaN for those that stand for a missing value."""
    values = np.full(len(texts), np.nan)
    for i, text in enumerate(texts):
        if labels.classes:
            value = parse_label(text, labels)
            if value is None:
                raise unknown_class(place(i), text, labels)
            values[i] = value
        elif not INVALID.match(text):
            try:
                values[i] = parse_number(text)
            except ValueError:
                raise InputError(
                    f"{place(i)}: {text[:40]!r} is not a number; name the classes by their values, such as 0.25, or "
                    "list them under labels.classes"
                ) from None
    return values


def _checked(
    start_s: np.ndarray,
    end_s: np.ndarray,
    values: np.ndarray,
    value_range: tuple[float, float],
    annotator: str,
    place: Callable[[int], str],
    labels: LabelParams = CONTINUOUS,
) -> Annotation:
    """The annotation, after a check of its order and range; `place` names row i in messages."""
    least, most = value_range
    with np.errstate(invalid="ignore"):
        scaled = (np.asarray(values, np.float64) - least) / (most - least)
        outside = np.flatnonzero(((scaled < -1e-6) | (scaled > 1 + 1e-6)) & (not labels.classes))
    for i in outside[:1]:
        raise InputError(
            f"{place(i)}: {values[i]:g} lies outside [{least:g}, {most:g}]; rescale: damamba convert with --range, and "
            "name what it writes"
        )
    for i in np.flatnonzero(~((start_s >= -MAX_S) & (start_s < end_s) & (end_s <= MAX_S)))[:1]:
        raise InputError(f"{place(i)}: from {start_s[i]:g} to {end_s[i]:g} s; expected seconds, the smaller one first")
    for i in np.flatnonzero(start_s[1:] < end_s[:-1] - OVERLAP_S)[:1]:
        raise InputError(
            f"{place(i + 1)}: begins at {start_s[i + 1]:g} s, before the one in front of it ends at {end_s[i]:g} s; "
            "correct the times"
        )
    if labels.classes:
        return Annotation(start_s, end_s, values.astype(np.float32), annotator, n_classes=len(labels.classes))
    return Annotation(start_s, end_s, np.clip(scaled, 0, 1).astype(np.float32), annotator)
