"""The mean over sessions, groups of participants, and warnings, on sessions whose scores are known."""

import numpy as np
import pytest

from damamba.config import EvaluateParams, LabelParams
from damamba.console import InputError
from damamba.corpus.manifest import Participant
from damamba.data.shards import AlignedSeat, AlignedSession
from damamba.metrics import ccc, find_metrics
from damamba.scoring.by_session import left_out, with_session_mean
from damamba.scoring.cautions import cautions
from damamba.scoring.comparison import compare_runs
from damamba.scoring.evaluate import corpus_scores, score_participant
from damamba.scoring.groups import groups_of
from damamba.scoring.layout import MISSING, of_metric
from damamba.scoring.participants import read_participants, write_participants
from damamba.scoring.runs import RunResult

PARAMS = EvaluateParams(split="test", metrics=("ccc", "ccc_within"), bootstrap=300, confidence=0.9)
METRICS = find_metrics(PARAMS)
N = 80


def rows_of(*sessions, metrics=METRICS):
    """Participants of one corpus; a session is a list of (prediction, label)."""
    rows = []
    for number, people in enumerate(sessions):
        seats = tuple(AlignedSeat(f"p{i}", "", f"p{i}", True) for i in range(len(people)))
        session = AlignedSession("own", f"s{number}", "test", "", N, seats)
        for i, (pred, label) in enumerate(people):
            pred, label = np.float32(pred), np.float32(label)
            rows.append(score_participant(session, i, pred, label, np.isfinite(label), metrics))
    return rows


def noisy(seed, noise=0.1, level=0.5, width=0.3):
    rng = np.random.default_rng(seed)
    label = level + width * (rng.random(N) - 0.5)
    return label + noise * (rng.random(N) - 0.5), label


FLAT = (np.linspace(0, 1, N), np.full(N, 0.7))


def test_every_session_counts_the_same_and_one_of_constant_truth_is_counted_and_not_zero(tmp_path):
    sessions = [[noisy(0)], [noisy(1), noisy(2, level=0.9)], [FLAT], [noisy(3, noise=0.5)]]
    rows = rows_of(*sessions)
    own = [ccc(*map(np.concatenate, zip(*people, strict=True)), np.ones(N * len(people), bool)) for people in sessions]
    assert own[2] == pytest.approx(0, abs=1e-9)  # what the formula gives, whatever was predicted
    scores = corpus_scores(rows, PARAMS, METRICS)
    assert scores["ccc_by_session"]["own"] == pytest.approx(np.mean([own[i] for i in (0, 1, 3)]), abs=1e-6)
    low, high = scores["ccc_by_session"]["interval"]["own"]
    assert low < scores["ccc_by_session"]["own"] < high
    assert scores["left_out"] == {"own": 1}
    write_participants(tmp_path / "rows.csv", rows, METRICS)  # six decimals of each moment
    again = corpus_scores(read_participants(tmp_path / "rows.csv", METRICS, "run"), PARAMS, METRICS)
    assert again["left_out"] == {"own": 1}
    assert again["ccc_by_session"]["own"] == pytest.approx(scores["ccc_by_session"]["own"], abs=1e-5)


def test_without_a_session_that_can_be_scored_the_mean_is_undefined():
    empty = (np.zeros(N), np.full(N, np.nan))
    scores = corpus_scores(rows_of([FLAT], [empty]), PARAMS, METRICS)
    assert scores["ccc_by_session"]["own"] is None
    assert scores["left_out"] == {"own": 2}


def test_of_classes_a_session_with_one_class_is_left_out():
    labels = LabelParams(kind="categorical", classes=("a", "b"))
    metrics = find_metrics(PARAMS.model_copy(update={"metrics": ("kappa",)}), labels)
    half = np.arange(N) % 2
    rows = rows_of([(half, half)], [(half, np.zeros(N))], [(1 - half, half)], metrics=metrics)
    assert left_out(rows, metrics) == {"own": 1}
    name = list(with_session_mean(metrics))[-1]
    assert corpus_scores(rows, PARAMS, metrics)[name]["own"] == pytest.approx((1 - 1) / 2)


def run(name, rows):
    return RunResult(
        name, *name.split("-"), {**corpus_scores(rows, PARAMS, METRICS), "split": "", "protocol": ""}, (*rows,)
    )


def people(**columns):
    """Two participants in each of four sessions, and an unlabelled third in the first."""
    keys = [("own", f"s{s}", f"p{p}") for s in range(4) for p in range(2)]
    extra = [{name: values[i] for name, values in columns.items()} for i in range(8)]
    made = [
        Participant(*key, "", "test", "", key[2], "", "", "", extra=more) for key, more in zip(keys, extra, strict=True)
    ]
    return [*made, Participant("own", "s0", "tutor", "", "test", "", "tutor", "", "", "")]


def test_a_group_has_the_scores_of_its_participants_alone_and_a_missing_value_a_row():
    rows = rows_of(*([noisy(2 * s, noise=0.2), noisy(2 * s + 1, noise=0.6)] for s in range(4)))
    sites = ["north", "south"] * 3 + ["", "south"]
    groups = groups_of(people(site=sites), [one.key for one in rows], ["site", "group_size", "role"])
    assert list(groups["site"]) == ["north", "south", MISSING]
    assert {value: len(keys) for value, keys in groups["group_size"].items()} == {"2": 6, "3": 2}
    assert list(groups["role"]) == [MISSING]
    table = compare_runs([run("da_mamba-0", rows)], PARAMS, METRICS, groups)["by"]["site"]
    for value, members in (("north", rows[0:6:2]), ("south", rows[1::2])):
        alone = corpus_scores(members, PARAMS, METRICS)
        group = table[value]
        assert (group["participants"], group["frames"]) == (len(members), sum(one.frames for one in members))
        for name in with_session_mean(METRICS):
            record = of_metric(group["variants"]["da_mamba"], name)
            assert record["mean"]["global"] == pytest.approx(of_metric(alone, name)["own"])
            assert record["interval"]["global"] == pytest.approx(of_metric(alone, name)["interval"]["own"])
    assert table[MISSING]["sessions"] == 1
    assert table[MISSING]["variants"]["da_mamba"]["interval"]["global"] == [None, None]


@pytest.mark.parametrize(
    ("column", "values", "line"),
    [
        ("sight", ["a"] * 8, r"evaluate\.by: no column 'sight' in the manifest; there are role, .*gender, .*site"),
        ("site", ["a|b"] * 8, r"column site, own/s0/p0: 'a\|b' cannot stand in a table"),
        ("group_size", ["2"] * 8, "the column group_size is counted"),
    ],
)
def test_a_column_that_cannot_be_used_is_named(column, values, line):
    scored = [("own", f"s{s}", "p0") for s in range(4)]
    name = "site" if column == "sight" else column
    with pytest.raises(InputError, match=line):
        groups_of(people(**{name: values}), scored, [column])


def warned(**variants):
    """Warnings about variants, with the intervals of their scores."""
    records = {name: corpus_scores(rows, PARAMS, METRICS) for name, rows in variants.items()}
    return cautions(
        {name: [rows] for name, rows in variants.items()},
        {name: record["interval"] for name, record in records.items()},
        METRICS,
    )


def test_a_session_without_which_a_score_falls_is_named_and_alike_sessions_are_not():
    even = rows_of(*([noisy(s, noise=0.3)] for s in range(8)))
    assert warned(model=even) == []
    # every session is noise about 0.5, but for one far away, which makes the pooled CCC
    lonely = rows_of(*([noisy(s, noise=1.0, width=0.1)] for s in range(7)), [noisy(9, level=9.5)])
    (line,) = warned(model=lonely)
    assert line.startswith("own: session s7 decides; CCC without it: model 0.9")
    assert warned(model=rows_of([noisy(0)])) == ["own: its score is that of one session"]


def test_a_session_that_decides_the_order_of_the_first_two_is_named():
    pairs = [[noisy(s, noise=0.30)] for s in range(6)]
    better = rows_of(*pairs[:5], [noisy(5, noise=0.9)])
    worse = rows_of(*([noisy(s, noise=0.34)] for s in range(5)), [noisy(5, noise=0.2)])
    (line,) = [line for line in warned(a=better, b=worse) if "ahead" in line]
    assert line == "CCC global: without session own/s5, a is ahead of b"


def test_constant_predictions_of_a_row_or_a_person_are_named():
    still = np.full(N, 0.4)
    labels = [noisy(s)[1] for s in range(4)]
    alike = rows_of(*([(still, label)] for label in labels))
    one = rows_of(*([(still if s == 2 else noisy(s)[0], label)] for s, label in enumerate(labels)))
    assert "alike: its predictions are constant" in warned(alike=alike)
    assert "one: constant predictions for 1 of 4 participants: own/s2/p0" in warned(one=one)
