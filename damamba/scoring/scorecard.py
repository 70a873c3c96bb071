"""Everything that `damamba score` prints about paired labels and predictions, as one JSON-ready record.

Definitions (challenge): one CCC a corpus over all frames of all its sessions and participants, population moments; of
classes, Cohen's kappa likewise. Global is the mean over the corpora with a CCC, or where there is none over the kappas;
the challenge of 2026 weighs both (`WEIGHTS_2026`). A frame counts where label and prediction are both finite.

Source: hcmlab/MultiMediate26 ``baseline/5_CreateResulttable.py``; disparities:
``baseline/4_TestingNN_fairness_per_session.py``, fairness_gender and fairness_language.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from damamba.config import MAIN
from damamba.console import InputError
from damamba.corpus.challenge import SINCE_2026, WEIGHTS_2026
from damamba.metrics import Metric, ccc
from damamba.metrics.ccc import CCC
from damamba.metrics.kappa import Kappa
from damamba.scoring.by_session import SessionMean
from damamba.scoring.comparison import mean
from damamba.scoring.disparity import disparity, disparity_between
from damamba.scoring.groups import grouped
from damamba.scoring.pairing import PairedSeries, PredictionFinding, pair
from damamba.scoring.participants import statistics
from damamba.scoring.pooling import bootstrap_interval, defined, moments_by_session, stacked
from damamba.scoring.truth import read_truth
from damamba.scoring.unpacking import opened

ATTRIBUTES = ("role", "language", "gender")
Series = tuple[np.ndarray, np.ndarray]
"""Predictions and labels of equal length; NaN where there is none."""


def score_folder(
    truth: Path,
    predictions: Path,
    *,
    split: str,
    official: bool,
    partial: bool,
    resamples: int,
    confidence: float,
    by: Sequence[str] = (),
    label: str = MAIN,
) -> tuple[dict[str, Any], list[PredictionFinding]]:
    """Scorecard of a folder or zip of predictions, and what is wrong with it.

    Args:
        truth: Labels, in any form that `read_truth` reads.
        predictions: Folder or zip.
        split: Of the labels, or ``all``.
        official: Pair as the challenge's script 5 does.
        partial: Score the rest where predictions are missing or wrong.
        resamples: Of sessions, for each interval.
        confidence: Of the intervals.
        by: Further columns of the manifest to group by; those without a value are a group too.
        label: Which label, as in `read_truth`.

    Raises:
        InputError: Something is missing or damaged, there is no such column, or the result would not be the score of
            the whole corpus.
    """
    if not 0 < confidence < 1 or resamples < 1:
        raise InputError("--confidence must lie between 0 and 1 and --resamples above 0")
    if truth.resolve() == predictions.resolve():
        raise InputError(f"{truth}: labels and predictions are the same folder; name the folder of the predictions")
    labels = read_truth(truth, split, label)
    grouped({one.key: one.attributes for one in labels}, by, "--by")  # raises, where there is no such column
    with opened(predictions) as folder:
        pairs, findings = pair(folder, labels, predictions)
    if official:  # this pairing is meant for predictions of valid frames only
        findings = [f for f in findings if f.kind != "length" or "--official" not in f.text]
    wrong = [finding for finding in findings if finding.wrong]
    if wrong and not partial:
        raise InputError(
            "\n".join(
                [
                    *map(str, wrong),
                    f"{predictions}: {len(wrong)} of {len(labels)} participants cannot be scored, so this would not be "
                    "the score of the corpus; correct them, or score the rest with --partial",
                ]
            )
        )
    card = scorecard(pairs, findings, official=official, resamples=resamples, confidence=confidence, by=by)
    return card, findings


def scorecard(
    pairs: Sequence[PairedSeries],
    findings: Sequence[PredictionFinding],
    *,
    official: bool,
    resamples: int,
    confidence: float,
    by: Sequence[str] = (),
) -> dict[str, Any]:
    """Scores, intervals, counts, diagnostics by session and group, fairness gaps.

    Args:
        pairs: Of all labelled participants.
        findings: Of the prediction folder; they go into the record unchanged.
        official: Remove invalid lines before pairing, as the challenge's script 5 does.
        resamples: Of sessions, for each interval.
        confidence: Of the intervals.
        by: Columns to group by, beside role, language and gender.

    Returns:
        ``pairing``, ``corpora``, ``global``, ``sessions``, ``participants``, ``groups``, ``gaps``, ``findings``; None
        where something is undefined. ``other_pairing`` holds the scores under the other pairing, for comparison. Scores
        are called ``ccc``, or of classes ``kappa``. With corpora that came in 2026, ``challenge`` holds that edition's
        weighted score, None where a corpus is missing, and the names of these.
    """
    by_corpus: dict[str, list[PairedSeries]] = defaultdict(list)
    for one in pairs:
        by_corpus[one.truth.corpus].append(one)
    paired = PairedSeries.official if official else PairedSeries.by_frame
    other = PairedSeries.by_frame if official else PairedSeries.official
    metrics = {corpus: _metric(members) for corpus, members in by_corpus.items()}
    moments = {corpus: _session_moments(members, paired) for corpus, members in by_corpus.items()}
    corpora = {
        corpus: {
            _key(members): _pooled(map(paired, members), members),
            "interval": _interval(metrics[corpus], [moments[corpus]], resamples, confidence),
            "by_session": _by_session(metrics[corpus], moments[corpus]),
            "sessions": len(moments[corpus]),
            "participants": len(members),
            **_counts(members, paired),
        }
        for corpus, members in by_corpus.items()
    }
    groups = {corpus: _groups(members, paired, by) for corpus, members in by_corpus.items()}
    others = {corpus: _pooled(map(other, members), members) for corpus, members in by_corpus.items()}
    scores = {corpus: row.get("ccc", row.get("kappa")) for corpus, row in corpora.items()}
    leading = [corpus for corpus, row in corpora.items() if "ccc" in row] or list(corpora)
    # a mean of kappas over different classes has no common draw of moments
    drawn = [moments[corpus] for corpus in leading] if len({metrics[corpus].moments for corpus in leading}) == 1 else []
    return {
        "pairing": "official" if official else "by frame",
        "confidence": confidence,
        "global": mean(scores[corpus] for corpus in leading),
        "interval": _interval(metrics[leading[0]], drawn, resamples, confidence) if drawn else [None, None],
        **({"challenge": _challenge(scores)} if any(name in scores for name in SINCE_2026) else {}),
        "corpora": corpora,
        "other_pairing": {"global": mean(others[corpus] for corpus in leading), "corpora": others},
        "sessions": [_row(members, paired) for members in _by(pairs, "corpus", "session")],
        "participants": [_row([one], paired) for one in pairs],
        "groups": groups,
        "gaps": {corpus: _gaps(by_corpus[corpus], paired, groups[corpus], by) for corpus in by_corpus},
        "findings": [{"kind": f.kind, "where": f.where, "text": f.text} for f in findings],
    }


def _challenge(scores: dict[str, float | None]) -> dict[str, Any]:
    """Weighted score of 2026, and the corpora that it lacks."""
    missing = [name for name in WEIGHTS_2026 if scores.get(name) is None]
    weighted = [weight * (scores.get(name) or 0.0) for name, weight in WEIGHTS_2026.items()]
    return {"score": None if missing else float(sum(weighted)), "missing": missing}


def _metric(pairs: Sequence[PairedSeries]) -> Metric:
    """What scores a corpus; all of its participants have labels of one kind."""
    classes = pairs[0].truth.classes
    return Kappa(Kappa.Params(), classes) if classes else CCC(CCC.Params())


def _key(pairs: Sequence[PairedSeries]) -> str:
    return "kappa" if pairs[0].truth.classes else "ccc"


def _pooled(series: Iterable[Series], pairs: Sequence[PairedSeries]) -> float | None:
    """Score over the frames of all series that have both values; `pairs` decide which."""
    pred, target = _joined(series)
    valid, metric = np.ones(len(pred), bool), _metric(pairs)
    if isinstance(metric, CCC):
        return defined(ccc(pred, target, valid))
    return defined(float(metric.of_moments(metric.of_series(pred, target, valid))))


def _joined(series: Iterable[Series]) -> Series:
    complete = [(p[both], t[both]) for p, t in series for both in (np.isfinite(p) & np.isfinite(t),)]
    pred, target = (np.concatenate([np.empty(0), *(pieces[i] for pieces in complete)]) for i in (0, 1))
    return pred, target


def _session_moments(pairs: Sequence[PairedSeries], paired: Callable[[PairedSeries], Series]) -> np.ndarray:
    """(sessions, K) moments of the sessions of one corpus."""
    metric = _metric(pairs)

    def moments(one: PairedSeries) -> np.ndarray:
        pred, target = _joined([paired(one)])
        return metric.of_series(pred, target, np.ones(len(pred), bool))

    (sessions,) = moments_by_session((p.truth.corpus, p.truth.session, moments(p)) for p in pairs).values()
    return stacked(sessions)


def _interval(metric: Metric, corpora: Sequence[np.ndarray], resamples: int, confidence: float) -> list[float | None]:
    scored = [sessions[(sessions != 0).any(1)] for sessions in corpora]  # without those that have no frame
    if not all(len(sessions) for sessions in scored):
        return [None, None]
    return [defined(end) for end in bootstrap_interval(metric, scored, resamples=resamples, confidence=confidence)]


def _by_session(metric: Metric, sessions: np.ndarray) -> dict[str, float | int | None]:
    """Mean over the sessions of a corpus, and how many have no score of their own."""
    mean_of = SessionMean("", metric)
    total = mean_of.of_sessions(sessions).sum(axis=0)
    return {"mean": defined(float(mean_of.of_moments(total))), "left_out": len(sessions) - int(total[1])}


def _by(pairs: Sequence[PairedSeries], *names: str) -> list[list[PairedSeries]]:
    groups: dict[tuple[str, ...], list[PairedSeries]] = defaultdict(list)
    for one in pairs:
        groups[tuple(getattr(one.truth, name) for name in names)].append(one)
    return list(groups.values())


def _counts(pairs: Sequence[PairedSeries], paired: Callable[[PairedSeries], Series]) -> dict[str, int]:
    """Frames scored; label frames that are not valid; valid label frames without a finite prediction."""
    valid = sum(int(np.isfinite(p.truth.value).sum()) for p in pairs)
    frames = len(_joined(map(paired, pairs))[0])
    return {"frames": frames, "invalid": sum(len(p.truth.value) for p in pairs) - valid, "missing": valid - frames}


def _row(pairs: Sequence[PairedSeries], paired: Callable[[PairedSeries], Series]) -> dict[str, Any]:
    """One participant, or all participants of one session."""
    truth = pairs[0].truth
    row: dict[str, Any] = {"corpus": truth.corpus, "session": truth.session, "language": truth.language}
    if len(pairs) == 1:
        row |= {"participant": truth.participant, "role": truth.role, "gender": truth.gender}
    row |= {} if truth.classes else statistics(*_joined(map(paired, pairs)))
    return {**row, _key(pairs): _pooled(map(paired, pairs), pairs), **_counts(pairs, paired)}


def _groups(
    pairs: Sequence[PairedSeries], paired: Callable[[PairedSeries], Series], by: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Attribute -> its value -> score, counts and disparity, where there are at least two values."""
    by_attribute: dict[str, dict[str, Any]] = {}
    for attribute, groups in _grouped(pairs, by).items():
        series = {value: _joined(map(paired, members)) for value, members in groups.items()}
        disparities = disparity(series, len(pairs[0].truth.classes) or None)
        by_attribute[attribute] = {
            value: {
                _key(pairs): _pooled([series[value]], pairs),
                "participants": len(members),
                **_counts(members, paired),
                "disparity": disparities[value],
            }
            for value, members in groups.items()
        }
    return by_attribute


def _grouped(pairs: Sequence[PairedSeries], by: Sequence[str]) -> dict[str, dict[str, list[PairedSeries]]]:
    """Attribute -> its value -> participants, for attributes with at least two values, and for all of `by`."""
    by_attribute = {}
    for attribute in ATTRIBUTES:
        known = sorted((p for p in pairs if getattr(p.truth, attribute)), key=lambda p: getattr(p.truth, attribute))
        groups = {getattr(members[0].truth, attribute): members for members in _by(known, attribute)}
        if len(groups) > 1:
            by_attribute[attribute] = groups
    members = {p.truth.key: p for p in pairs}
    asked = grouped({p.truth.key: p.truth.attributes for p in pairs}, by, "--by")
    groups_asked = {
        name: {value: [members[k] for k in keys] for value, keys in own.items()} for name, own in asked.items()
    }
    return {**by_attribute, **groups_asked}


def _gaps(
    pairs: Sequence[PairedSeries],
    paired: Callable[[PairedSeries], Series],
    groups: dict[str, dict[str, Any]],
    by: Sequence[str],
) -> dict[str, dict[str, float | None]]:
    """Attribute -> largest less smallest score and disparity over its groups; of two groups, their disparity too."""
    key = _key(pairs)
    gaps: dict[str, dict[str, float | None]] = {}
    for attribute, members in _grouped(pairs, by).items():
        rows = groups[attribute].values()
        gaps[attribute] = {name: _range([row[name] for row in rows]) for name in (key, "disparity")}
        if len(members) == 2:
            higher, lower = sorted(members, reverse=True)  # the challenge's CDD_G: male less female
            first, second = (_joined(map(paired, members[group])) for group in (higher, lower))
            n_classes = len(pairs[0].truth.classes) or None
            gaps[attribute][f"{higher}_less_{lower}"] = disparity_between(first, second, n_classes)
    return gaps


def _range(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return max(known) - min(known) if len(known) > 1 else None
