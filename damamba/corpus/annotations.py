"""Engagement as people annotate it, in and out: CSV, SSI/NOVA, ELAN; on any clock in, labels at 25 Hz out.

slider or tiers        ──▔▔▔──▁▁──▔▔────        values over stretches of time
moved by lag_s       ──▔▔▔──▁▁──▔▔────          annotators answer late
labels, 25 Hz        ·│·│·│·│ │·│·│·│·          mean over each 1/25 s; valid where half of it is known
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from damamba.config import LABEL_RATE_HZ
from damamba.console import InputError
from damamba.corpus.annotation_csv import read_columns
from damamba.corpus.eaf import Stretch, Tier, read_eaf, write_eaf
from damamba.corpus.exchange import parse_number
from damamba.corpus.labels import INVALID, Labels, write_values
from damamba.corpus.ssi_annotation import ROW_DTYPES, Scheme, SsiAnnotation, read_ssi_annotation, write_ssi_annotation

UNIT = (0.0, 1.0)
MAX_S = 86_400.0
"""A day; a later time is a mistake of units."""
OVERLAP_S = 1e-3
"""Times are often rounded to milliseconds."""
MIN_COVERED = 0.5
"""Share of a label's 1/25 s that must be annotated."""
DECIMALS = 6
SUFFIXES = (".csv", ".txt", ".annotation", ".eaf")


@dataclass(frozen=True)
class Annotation:
    """What one annotator said: values over stretches of time, in order, nothing between them."""

    start_s: np.ndarray
    """(N,) float64, on the session's clock."""
    end_s: np.ndarray
    """(N,) float64."""
    value: np.ndarray
    """(N,) float32 in [0, 1]; NaN where not valid."""
    annotator: str = ""
    series: bool = False
    """A value for every moment, so that its length is the recording's; else gaps and an early end are meant."""

    @property
    def valid(self) -> np.ndarray:
        """(N,) bool."""
        return np.isfinite(self.value)

    def __len__(self) -> int:
        return len(self.value)

    @classmethod
    def from_labels(cls, labels: Labels, rate_hz: float = LABEL_RATE_HZ, annotator: str = "") -> "Annotation":
        """Value i from i / rate_hz to (i + 1) / rate_hz s."""
        edges_s = np.arange(len(labels) + 1) / rate_hz
        return cls(edges_s[:-1], edges_s[1:], labels.value, annotator)

    def labels(self, length: int | None = None, lag_s: float = 0.0) -> Labels:
        """Labels at 25 Hz: the mean over each label's time, weighted by how long each value lasts in it.

        Args:
            length: Labels wanted; as long as the annotation where None.
            lag_s: Time by which the annotator was late, s: what stands at t was seen at t - lag_s.
        """
        grid_s = np.arange(len(self) + 1) / LABEL_RATE_HZ
        if not lag_s and np.array_equal(self.start_s, grid_s[:-1]) and np.array_equal(self.end_s, grid_s[1:]):
            return Labels(self.value, self.valid).resized(len(self) if length is None else length)
        times_s = np.stack([self.start_s, self.end_s], axis=1) - lag_s
        if length is None:
            end_s = times_s.max(initial=0.0)
            length = int(np.ceil(np.round(end_s * LABEL_RATE_HZ, 3)))
        covered_s = np.where(self.valid, times_s[:, 1] - times_s[:, 0], 0.0)
        weighted_s = np.where(self.valid, self.value, 0.0) * covered_s
        knots_s = np.maximum.accumulate(times_s.ravel())
        edges_s = np.arange(length + 1) / LABEL_RATE_HZ
        covered_s, weighted_s = (_integral(knots_s, part, edges_s) for part in (covered_s, weighted_s))
        valid = covered_s >= MIN_COVERED / LABEL_RATE_HZ - 1e-9
        value = np.full(length, np.nan, np.float32)
        value[valid] = np.clip(weighted_s[valid] / covered_s[valid], 0, 1)
        return Labels(value, valid)


def _integral(knots_s: np.ndarray, parts: np.ndarray, edges_s: np.ndarray) -> np.ndarray:
    """How much of `parts`, one a stretch and evenly spread over it, lies between each pair of edges."""
    if not len(knots_s):
        return np.zeros(len(edges_s) - 1)
    ends = np.cumsum(parts)
    sums = np.stack([ends - parts, ends], axis=1).ravel()
    return np.diff(np.interp(edges_s, knots_s, sums))


def in_steps(labels: Labels, step_s: float) -> Annotation:
    """Means over steps of `step_s`, for tools that show stretches; a step is valid where half of it is.

    Raises:
        InputError: `step_s` is no whole number of labels.
    """
    per_step = round(step_s * LABEL_RATE_HZ) if 0 < step_s <= MAX_S else 0
    if per_step < 1 or abs(per_step / LABEL_RATE_HZ - step_s) > 1e-9:
        raise InputError(
            f"a step of {step_s:g} s is no whole number of labels; use a multiple of {1 / LABEL_RATE_HZ} s"
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
) -> Annotation:
    """Read an annotation of engagement; the name's ending says which format it has.

    Args:
        path: ``.csv`` or ``.txt``: one value a line, or columns ``start;end;value`` (s); ``.annotation``: SSI or NOVA,
            with the ``.annotation~`` beside it; ``.eaf``: ELAN, a tier whose texts are numbers.
        tier: Which tier of ELAN; the only one with annotations where None.
        value_range: Smallest and largest value, which become 0 and 1; [0, 1] where None, a NOVA scheme's own range.
        rate_hz: Of a CSV with one value a line.

    Raises:
        InputError: The file, the place in it, what was expected and what to do.
    """
    suffix = path.suffix.lower().removesuffix("~")
    if value_range and not -np.inf < value_range[0] < value_range[1] < np.inf:
        raise InputError(f"{value_range[0]:g} to {value_range[1]:g} is no range of values; the smaller one comes first")
    if not 0 < rate_hz < np.inf:
        raise InputError(f"{rate_hz:g} Hz is no rate")
    if suffix not in SUFFIXES:
        raise InputError(f"{path}: annotations end in {', '.join(SUFFIXES)}; export it as one of them")
    if tier is not None and suffix != ".eaf":
        raise InputError(f"{path}: only ELAN files (.eaf) have tiers; leave the tier away")
    if suffix == ".eaf":
        return _from_eaf(path, tier, value_range or UNIT)
    if suffix == ".annotation":
        return _from_ssi(path, value_range)
    start_s, end_s, value, line, series = read_columns(path, rate_hz)
    return _checked(start_s, end_s, value, value_range or UNIT, "", lambda i: f"{path}, line {line[i]}", series)


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
    """Write labels or predictions so that people can look at them; the name's ending says which format.

    Args:
        path: ``.csv``: one value a line, 25 Hz, as the challenge has it; ``.annotation``: a continuous scheme of
            25 Hz for NOVA; ``.eaf``: a tier of ELAN with the mean over each `step_s` as text.
        labels: What to write; frames that are not valid are NaN, or no annotation in ELAN.
        tier: Name of the tier or scheme.
        annotator: Who says so: a person, or the model.
        role: Whose engagement it is, for NOVA.
        step_s: Length of a step in ELAN, s.
        media: Videos or sounds beside `path` that ELAN opens with it.

    Raises:
        InputError: No such format, a step that is no whole number of labels, or a name that XML cannot hold.
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
            known = zip(steps.start_s[steps.valid], steps.end_s[steps.valid], steps.value[steps.valid], strict=True)
            stretches = tuple(Stretch(float(a), float(b), _short(value)) for a, b, value in known)
            write_eaf(path, [Tier(tier, stretches, annotator)], media)
        case _:
            raise InputError(f"{path}: annotations end in {', '.join(SUFFIXES)}; name it so")


def _short(value: float) -> str:
    return f"{value:.{DECIMALS}f}".rstrip("0").removesuffix(".")


def _from_eaf(path: Path, name: str | None, value_range: tuple[float, float]) -> Annotation:
    tiers = read_eaf(path)
    filled = [tier for tier in tiers if tier.stretches]
    found = [tier for tier in (filled if name is None else tiers) if name in (None, tier.name)]
    if len(found) != 1:
        known = ", ".join(tier.name[:40] for tier in tiers[:12]) or "none"
        wanted = f"one tier {name!r}" if name is not None else "one tier with annotations"
        raise InputError(f"{path}: expected {wanted}, found {len(found)}; name one of its tiers: {known}")
    tier = found[0]
    start_s, end_s = (np.array([stretch[i] for stretch in tier.stretches], np.float64) for i in (0, 1))

    def place(i: int) -> str:
        return f"{path}, tier {tier.name[:40]!r} at {start_s[i]:g} s"

    values = _values([stretch.text for stretch in tier.stretches], place)
    return _checked(start_s, end_s, values, value_range, tier.annotator, place)


def _from_ssi(path: Path, value_range: tuple[float, float] | None) -> Annotation:
    read = read_ssi_annotation(path)
    scheme, rows = read.scheme, read.rows

    def place(i: int) -> str:
        return f"{path.with_name(path.name.removesuffix('~'))}~, row {i + 1}"

    if scheme.type == "CONTINUOUS":
        edges_s = np.arange(len(rows) + 1) / scheme.rate_hz
        own_range = value_range or (scheme.least, scheme.most)
        return _checked(edges_s[:-1], edges_s[1:], rows["score"], own_range, read.annotator, place, series=True)
    rows = rows[np.argsort(rows["from"], kind="stable")]
    names = rows["label"] if scheme.type == "FREE" else [scheme.classes.get(i, "") for i in rows["id"].tolist()]
    values = _values([str(name) for name in names], place)
    return _checked(rows["from"], rows["to"], values, value_range or UNIT, read.annotator, place)


def _values(texts: Sequence[str], place: Callable[[int], str]) -> np.ndarray:
    """Numbers of texts, NaN where a text says that there is none."""
    values = np.full(len(texts), np.nan)
    for i, text in enumerate(texts):
        if not INVALID.match(text):
            try:
                values[i] = parse_number(text)
            except ValueError:
                raise InputError(
                    f"{place(i)}: {text[:40]!r} is no number; name the classes by their values, such as 0.25"
                ) from None
    return values


def _checked(
    start_s: np.ndarray,
    end_s: np.ndarray,
    values: np.ndarray,
    value_range: tuple[float, float],
    annotator: str,
    place: Callable[[int], str],
    series: bool = False,
) -> Annotation:
    """The annotation, after a look at its order and range; `place` names row i in messages."""
    least, most = value_range
    with np.errstate(invalid="ignore"):
        scaled = (np.asarray(values, np.float64) - least) / (most - least)
        outside = np.flatnonzero((scaled < -1e-6) | (scaled > 1 + 1e-6))
    for i in outside[:1]:
        raise InputError(
            f"{place(i)}: {values[i]:g} lies outside [{least:g}, {most:g}]; give the range: damamba convert --range"
        )
    for i in np.flatnonzero(~((start_s >= -MAX_S) & (start_s < end_s) & (end_s <= MAX_S)))[:1]:
        raise InputError(f"{place(i)}: from {start_s[i]:g} to {end_s[i]:g} s; expected seconds, the smaller one first")
    for i in np.flatnonzero(start_s[1:] < end_s[:-1] - OVERLAP_S)[:1]:
        raise InputError(
            f"{place(i + 1)}: begins at {start_s[i + 1]:g} s, before the one in front of it ends at {end_s[i]:g} s; "
            "correct the times"
        )
    return Annotation(start_s, end_s, np.clip(scaled, 0, 1).astype(np.float32), annotator, series)
