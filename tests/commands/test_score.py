"""`damamba score` against the definition, written here with numpy alone, on folders as people hand them around."""

import json
import shutil
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from damamba.console import InputError
from damamba.scoring.pairing import PairedSeries, pair
from damamba.scoring.predictions import write_prediction
from damamba.scoring.scorecard import scorecard
from damamba.scoring.truth import LabelledSeries, read_truth
from tests.commands.challenge import DYADS, EXPERT, GROUP, NAMES_2026, by_definition, score, write


@pytest.mark.parametrize("predictions", ["p26", "p24"])
def test_scores_of_a_folder_equal_the_definition(release, predictions, capsys):
    folder, series = release
    card = score(folder, predictions)
    noxi, mpiigi = (by_definition([series[s, r] for _, s, r in seats]) for seats in (DYADS, GROUP))
    assert card["corpora"]["noxi"]["ccc"] == pytest.approx(noxi, abs=1e-9)
    assert card["corpora"]["mpiigi"]["ccc"] == pytest.approx(mpiigi, abs=1e-9)
    assert card["global"] == pytest.approx((noxi + mpiigi) / 2, abs=1e-9)
    assert card["corpora"]["noxi"]["frames"] == 280 + 281 + 282
    assert card["corpora"]["noxi"]["invalid"] == 60
    low, high = card["corpora"]["noxi"]["interval"]
    assert low <= card["corpora"]["noxi"]["ccc"] <= high
    printed = capsys.readouterr()
    assert f"{noxi:.3f}" in printed.out
    assert "Global" in printed.out


def test_groups_and_gaps_equal_the_definition(release):
    folder, series = release
    card = score(folder, "p26")
    roles = {r: by_definition([series[s, q] for _, s, q in DYADS if q == r]) for r in ("expert", "novice")}
    for role, expected in roles.items():
        assert card["groups"]["noxi"]["role"][role]["ccc"] == pytest.approx(expected, abs=1e-9)
    assert card["gaps"]["noxi"]["role"]["ccc"] == pytest.approx(abs(roles["expert"] - roles["novice"]), abs=1e-9)
    assert set(card["groups"]["noxi"]["language"]) == {"English", "French"}
    assert set(card["groups"]["noxi"]["gender"]) == {"male", "female"}
    assert "language" not in card["groups"]["mpiigi"]  # unknown there
    pred, target = (np.concatenate([series[s, r][i] for _, s, r in DYADS]) for i in (0, 1))
    novice = np.concatenate([np.full(len(series[s, r][0]), r == "novice") for _, s, r in DYADS])
    bins = np.minimum(np.floor(target * 10), 10)
    steps = [
        pred[novice & (bins == b)].mean() - pred[bins == b].mean() for b in set(bins[novice & np.isfinite(target)])
    ]
    assert card["groups"]["noxi"]["role"]["novice"]["disparity"] == pytest.approx(np.mean(steps), abs=1e-9)


def test_columns_of_a_manifest_are_groups_and_a_missing_value_too(tmp_path):
    rng, series = np.random.default_rng(0), {}
    head = "session,participant,role,split,language,person,video,audio,label,site,streams\n"
    rows = []
    for session, participant, site in (
        ("s1", "a", "north"),
        ("s1", "b", ""),
        ("s2", "c", "north"),
        ("s2", "d", "south"),
    ):
        target = rng.random(50) if participant != "d" else np.full(50, 0.25)
        series[participant] = (0.5 * target + 0.5 * rng.random(50), target)
        for name, values in zip(("p", "labels"), series[participant], strict=True):
            write(tmp_path / name / session / f"{participant}.csv", values)
        (tmp_path / "labels" / session / f"{participant}.mp4").write_bytes(b"")
        rows.append(f"{session},{participant},guest,test,,{participant},{session}/{participant}.mp4,,")
        rows[-1] += f"{session}/{participant}.csv,{site},\n"
    (tmp_path / "labels/manifest.csv").write_text(head + "".join(rows))
    card = score(tmp_path, "p", by=["site", "group_size"])
    expected = {"north": "ac", "south": "d", "(missing)": "b"}
    for site, members in expected.items():
        group = card["groups"]["own"]["site"][site]
        assert group["ccc"] == pytest.approx(by_definition([series[one] for one in members]), abs=1e-6)
    assert card["groups"]["own"]["group_size"]["2"]["participants"] == 4
    sessions = [by_definition([series[one] for one in members]) for members in ("ab", "cd")]
    assert card["corpora"]["own"]["by_session"] == {"mean": pytest.approx(np.mean(sessions), abs=1e-6), "left_out": 0}
    with pytest.raises(InputError, match=r"--by: no column 'place' in the manifest; there are .*site, .*group_size"):
        score(tmp_path, "p", by=["place"])


def test_the_official_pairing_removes_invalid_lines_first_and_a_difference_is_reported(release, capsys):
    folder, series = release
    card = score(folder, "p26", official=True)
    removed = []
    for _, session, role in DYADS:
        pred, target = (x[np.isfinite(x)] for x in series[session, role])
        n = min(len(pred), len(target))
        removed.append((pred[:n], target[:n]))
    assert card["corpora"]["noxi"]["ccc"] == pytest.approx(by_definition(removed), abs=1e-9)
    assert card["other_pairing"]["corpora"]["noxi"] == pytest.approx(
        by_definition([series[s, r] for _, s, r in DYADS]), abs=1e-9
    )
    assert "paired by frame" in capsys.readouterr().err
    score(folder, "p26")
    assert "paired official" in capsys.readouterr().err


value = st.one_of(st.floats(0, 1), st.just(float("nan")), st.sampled_from([0.1, 0.3, 0.5]))


participant = st.integers(1, 12).flatmap(
    lambda n: st.tuples(*(st.lists(value, min_size=n, max_size=n) for _ in range(2)))
)


constant = st.tuples(st.sampled_from([0.1, 0.3]), st.integers(1, 40)).map(lambda c: ([c[0]] * c[1], [c[0]] * c[1]))


invalid = st.just(([0.5] * 4, [float("nan")] * 4))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.one_of(participant, constant, invalid), min_size=1, max_size=5))
def test_scores_equal_the_definition_on_anything(made):
    series = [(np.round(pred, 6), np.round(target, 6)) for pred, target in made]
    pairs = [
        PairedSeries(LabelledSeries("c", f"s{i // 2}", f"p{i}", "", "", "", "", target), pred)
        for i, (pred, target) in enumerate(series)
    ]
    card = scorecard(pairs, [], official=False, resamples=20, confidence=0.9)
    expected = by_definition(series)
    assert card["corpora"]["c"]["ccc"] == (None if np.isnan(expected) else pytest.approx(expected, abs=1e-9))
    for row, one in zip(card["participants"], series, strict=True):
        own = by_definition([one])
        assert row["ccc"] == (None if np.isnan(own) else pytest.approx(own, abs=1e-9))
    json.dumps(card, allow_nan=False)


def test_values_that_are_not_finite_are_missing_frames_and_reported(release, capsys):
    folder, series = release
    pred, target = series["006", "expert"]
    pred = pred.copy()
    pred[:10] = np.nan
    write(folder / "p26" / NAMES_2026[0].format("006", "expert"), pred)
    card = score(folder, "p26")
    others = [series[s, r] for _, s, r in DYADS[:2]]
    assert card["corpora"]["noxi"]["ccc"] == pytest.approx(by_definition([*others, (pred, target)]), abs=1e-9)
    assert card["corpora"]["noxi"]["missing"] == 10
    assert "10 of 302 values are not finite" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: (p / EXPERT).unlink(), r"noxi/006/expert: no prediction; 302 lines are expected"),
        (lambda p: write(p / EXPERT, np.full(200, 0.5)), r"200 lines are 8\.0 s, the label has 302"),
        (lambda p: write(p / EXPERT, np.full(282, 0.5)), r"valid frames only.*--official"),
        (lambda p: (p / EXPERT).write_text("0.5\nhalf\n"), r"expert\.engagement\.prediction\.csv: line 2: 'half'"),
        (lambda p: (p / EXPERT).write_text(""), r"expert\.engagement\.prediction\.csv: empty"),
        (lambda p: shutil.copy(p / EXPERT, p / EXPERT.replace("prediction", "pred")), r"same participant"),
    ],
)
def test_what_is_wrong_with_a_folder_is_named_and_the_rest_scored_only_when_asked(release, spoil, message):
    folder, _ = release
    spoil(folder / "p26")
    with pytest.raises(InputError, match=message) as error:
        score(folder, "p26")
    assert "1 of 5 participants cannot be scored" in str(error.value)
    card = score(folder, "p26", partial=True)
    assert {f["kind"] for f in card["findings"]} & {"missing", "length", "unreadable", "twice"}


def test_predictions_for_valid_frames_only_are_scored_with_official(release):
    folder, series = release
    for _, session, role in DYADS:
        pred, target = series[session, role]
        write(folder / "p26" / NAMES_2026[0].format(session, role), pred[np.isfinite(target)])
    expected = by_definition([series[s, r] for _, s, r in DYADS])
    assert score(folder, "p26", official=True)["corpora"]["noxi"]["ccc"] == pytest.approx(expected, abs=1e-9)


def test_files_without_a_labelled_participant_are_reported_and_left_out(release, capsys):
    folder, _ = release
    before = score(folder, "p26")["global"]
    write(folder / "p26/noxi-base/999/expert.engagement.prediction.csv", [0.5] * 9)
    (folder / "p26/README.txt").write_text("ours")
    assert score(folder, "p26")["global"] == before
    printed = capsys.readouterr().err
    assert "999/expert.engagement.prediction.csv: no labels for this participant" in printed
    assert "README.txt" in printed


def test_whole_windows_at_the_end_are_cut(release):
    folder, series = release
    pred, _ = series["006", "expert"]
    before = score(folder, "p26")["global"]
    write(folder / "p26" / EXPERT, np.concatenate([pred, np.zeros(18)]))
    assert score(folder, "p26")["global"] == before


def test_a_zip_scores_as_its_folder(release):
    folder, _ = release
    with zipfile.ZipFile(folder / "p.zip", "w") as archive:
        for path in (folder / "p26").rglob("*.csv"):
            archive.write(path, path.relative_to(folder / "p26"))
    assert score(folder, "p.zip")["global"] == score(folder, "p26")["global"]
    (folder / "q.zip").write_bytes(b"PK\x03\x04nonsense")
    with pytest.raises(InputError, match=r"q\.zip: not a readable zip"):
        score(folder, "q.zip")


def test_our_own_runs_are_scored(release):
    folder, series = release
    for (session, role), (pred, target) in series.items():
        corpus = "mpiigi" if role.startswith("subject") else "noxi"
        write_prediction(folder / f"run/{corpus}/{session}/{role}.parquet", pred, target, np.isfinite(target))
    assert score(folder, "run")["global"] == pytest.approx(score(folder, "p26")["global"], abs=1e-6)  # single precision


def test_folders_that_do_not_fit_are_refused_with_what_was_expected(release):
    folder, _ = release
    with pytest.raises(InputError, match="same folder"):
        score(folder, "labels")
    with pytest.raises(InputError, match=r"the split val has no labels; there are test \(5\)"):
        score(folder, "p26", split="val")
    (folder / "empty").mkdir()
    with pytest.raises(InputError, match=r"0 prediction files, none for one of the 5"):
        score(folder, "empty")
    with pytest.raises(InputError, match="no labels below it"):
        read_truth(folder / "empty", "test")
    with pytest.raises(InputError, match="no such folder"):
        score(folder, "nowhere")


def test_a_corpus_follows_from_the_folder_that_was_named(release):
    folder, _ = release
    truth = read_truth(folder / "labels/noxi/test-base", "test")
    assert {one.corpus for one in truth} == {"noxi"}
    pairs, _ = pair(folder / "p26", truth)
    assert all(len(p.pred) for p in pairs)


def test_a_tree_without_split_folders_is_split_by_the_official_lists(tmp_path):
    for session in ("001", "008"):
        write(tmp_path / "mpiigroupinteraction" / session / "subjectPos1.engagement.annotation.csv", [0.5, 0.6])
    assert [one.session for one in read_truth(tmp_path, "test")] == ["001"]
    assert [one.session for one in read_truth(tmp_path, "val")] == ["008"]
    assert len(read_truth(tmp_path, "all")) == 2
