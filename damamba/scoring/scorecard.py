"""Everything that `damamba score` says of paired labels and predictions, as one JSON-ready record.

Definitions (challenge): one CCC a corpus over all frames of all its sessions and participants, population moments;
Global is the mean over corpora. A frame counts where label and prediction are both finite.

Source: hcmlab/MultiMediate26 ``baseline/5_CreateResulttable.py``; disparities:
``baseline/4_TestingNN_fairness_per_session.py``, fairness_gender and fairness_language.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from damamba.metrics import bootstrap_interval, ccc, session_moments
from damamba.scoring.pairing import Finding, Pair

ATTRIBUTES = ("role", "language", "gender")
BINS = np.linspace(0, 1, 11)
"""Of the label, within which groups are compared."""
Series = tuple[np.ndarray, np.ndarray]
"""Predictions and labels of equal length; NaN where there is none."""


def scorecard(
    pairs: Sequence[Pair], findings: Sequence[Finding], *, official: bool, resamples: int, confidence: float
) -> dict[str, Any]:
    """Scores, intervals, counts, diagnostics by session and group, fairness gaps.

    Args:
        pairs: Of all labelled participants.
        findings: Of the prediction folder; go into the record as they are.
        official: Remove invalid lines before pairing, as the challenge's script 5 does.
        resamples: Of sessions, behind an interval.
        confidence: Of the intervals.

    Returns:
        ``pairing``, ``corpora``, ``global``, ``sessions``, ``participants``, ``groups``, ``gaps``, ``findings``; None
        where something is undefined. ``other_pairing`` holds the scores under the pairing that was not asked for.
    """
    by_corpus: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_corpus[pair.truth.corpus].append(pair)
    paired = Pair.official if official else Pair.by_frame
    other = Pair.by_frame if official else Pair.official
    everything = [_session_moments(held, paired) for held in by_corpus.values()]
    corpora = {}
    for (corpus, held), moments in zip(by_corpus.items(), everything, strict=True):
        corpora[corpus] = {
            "ccc": _pooled(map(paired, held)),
            "interval": _interval([moments], resamples, confidence),
            "sessions": len(moments),
            "participants": len(held),
            **_counts(held, paired),
        }
    groups = {corpus: _groups(held, paired) for corpus, held in by_corpus.items()}
    scores = [row["ccc"] for row in corpora.values()]
    others = {corpus: _pooled(map(other, held)) for corpus, held in by_corpus.items()}
    return {
        "pairing": "official" if official else "by frame",
        "confidence": confidence,
        "global": _mean(scores),
        "interval": _interval(everything, resamples, confidence),
        "corpora": corpora,
        "other_pairing": {"global": _mean(list(others.values())), "corpora": others},
        "sessions": [_row(held, paired) for held in _by(pairs, "corpus", "session")],
        "participants": [_row([p], paired) for p in pairs],
        "groups": groups,
        "gaps": {corpus: _gaps(held) for corpus, held in groups.items()},
        "findings": [{"kind": f.kind, "where": f.where, "text": f.text} for f in findings],
    }


def _pooled(series: Iterable[Series]) -> float | None:
    """CCC over the frames of all series that have both values."""
    pred, target = _joined(series)
    value = ccc(pred, target, np.ones(len(pred), bool))
    return value if math.isfinite(value) else None


def _joined(series: Iterable[Series]) -> Series:
    held = [(p[both], t[both]) for p, t in series for both in (np.isfinite(p) & np.isfinite(t),)]
    pred, target = (np.concatenate([np.empty(0), *(pieces[i] for pieces in held)]) for i in (0, 1))
    return pred, target


def _session_moments(pairs: Sequence[Pair], paired: Callable[[Pair], Series]) -> np.ndarray:
    """(sessions, 6): participants of a session are resampled together."""
    rows = []
    for held in _by(pairs, "session"):
        pred, target = _joined(map(paired, held))
        rows.append(session_moments(pred, target, np.ones(len(pred), bool)))
    return np.stack(rows)


def _interval(moments: Sequence[np.ndarray], resamples: int, confidence: float) -> list[float | None]:
    seen = [sessions[sessions[:, 0] > 0] for sessions in moments]  # sessions without a frame say nothing
    if not all(len(sessions) for sessions in seen):
        return [None, None]
    ends = bootstrap_interval(seen, resamples=resamples, confidence=confidence)
    return [end if math.isfinite(end) else None for end in ends]


def _by(pairs: Sequence[Pair], *names: str) -> list[list[Pair]]:
    groups: dict[tuple[str, ...], list[Pair]] = defaultdict(list)
    for pair in pairs:
        groups[tuple(getattr(pair.truth, name) for name in names)].append(pair)
    return list(groups.values())


def _counts(pairs: Sequence[Pair], paired: Callable[[Pair], Series]) -> dict[str, int]:
    """Frames scored; label frames that are not valid; valid label frames without a finite prediction."""
    valid = sum(int(np.isfinite(p.truth.value).sum()) for p in pairs)
    frames = len(_joined(map(paired, pairs))[0])
    return {"frames": frames, "invalid": sum(len(p.truth.value) for p in pairs) - valid, "missing": valid - frames}


def _row(pairs: Sequence[Pair], paired: Callable[[Pair], Series]) -> dict[str, Any]:
    """One participant, or all participants of one session."""
    truth = pairs[0].truth
    row: dict[str, Any] = {"corpus": truth.corpus, "session": truth.session, "language": truth.language}
    if len(pairs) == 1:
        row |= {"participant": truth.participant, "role": truth.role, "gender": truth.gender}
    pred, target = _joined(map(paired, pairs))
    if len(pred):
        row |= {
            "mean_prediction": float(pred.mean()),
            "mean_label": float(target.mean()),
            "std_prediction": float(pred.std()),
            "std_label": float(target.std()),
            "mae": float(np.abs(pred - target).mean()),
        }
    return {**row, "ccc": _pooled(map(paired, pairs)), **_counts(pairs, paired)}


def _groups(pairs: Sequence[Pair], paired: Callable[[Pair], Series]) -> dict[str, dict[str, Any]]:
    """Attribute -> its value -> CCC, counts and disparity, where there are at least two values."""
    found: dict[str, dict[str, Any]] = {}
    for attribute in ATTRIBUTES:
        known = sorted((p for p in pairs if getattr(p.truth, attribute)), key=lambda p: getattr(p.truth, attribute))
        groups = {getattr(held[0].truth, attribute): held for held in _by(known, attribute)}
        if len(groups) < 2:
            continue
        series = {value: _joined(map(paired, held)) for value, held in groups.items()}
        disparity = _disparity(series)
        found[attribute] = {
            value: {
                "ccc": _pooled([series[value]]),
                "participants": len(held),
                **_counts(held, paired),
                "disparity": disparity[value],
            }
            for value, held in groups.items()
        }
    return found


def _disparity(series: dict[str, Series]) -> dict[str, float | None]:
    """How much higher a group is predicted than everybody of the same label: mean over bins of the label."""
    pred, target = _joined(series.values())
    bins = np.digitize(target, BINS)
    means = {b: pred[bins == b].mean() for b in np.unique(bins)}
    held: dict[str, float | None] = {}
    for value, (own, label) in series.items():
        own_bins = np.digitize(label, BINS)
        steps = [own[own_bins == b].mean() - means[b] for b in np.unique(own_bins)]
        held[value] = float(np.mean(steps)) if steps else None
    return held


def _gaps(groups: dict[str, dict[str, Any]]) -> dict[str, dict[str, float | None]]:
    """Attribute -> largest less smallest CCC and disparity over its groups."""
    return {
        attribute: {name: _range([row[name] for row in held.values()]) for name in ("ccc", "disparity")}
        for attribute, held in groups.items()
    }


def _range(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return max(known) - min(known) if len(known) > 1 else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None
