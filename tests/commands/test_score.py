"""`damamba score` against the definition, written here with numpy alone, on folders as people hand them around."""

import json
import shutil
import tracemalloc
import warnings
import zipfile
from argparse import Namespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from damamba.commands.score import run
from damamba.console import InputError
from damamba.scoring.pairing import PairedSeries, pair
from damamba.scoring.predictions import write_prediction
from damamba.scoring.scorecard import scorecard
from damamba.scoring.truth import LabelledSeries, read_truth

NAMES_2026 = ("noxi-base/{0}/{1}.engagement.prediction.csv", "mpiigroupinteraction/{0}/{1}.engagement.prediction.csv")
NAMES_2024 = ("{0}/{1}.engagement.annotation.csv", "{0}/{1}.engagement.annotation.csv")
DYADS = (("noxi/test-base", "002", "expert"), ("noxi/test-base", "002", "novice"), ("noxi/test-base", "006", "expert"))
GROUP = (("mpiigroupinteraction/test", "001", "subjectPos1"), ("mpiigroupinteraction/test", "001", "subjectPos2"))


def by_definition(pairs):
    """Lin's CCC from population moments over all frames that have both values; NaN for 0 / 0."""
    both = [(p, t) for pred, target in pairs for p, t in zip(pred, target, strict=True)]
    both = np.array([(p, t) for p, t in both if np.isfinite(p) and np.isfinite(t)])
    if not len(both) or (both == both[0, 0]).all():
        return float("nan")
    p, t = both.T
    return 2 * np.mean((p - p.mean()) * (t - t.mean())) / (np.var(p) + np.var(t) + (p.mean() - t.mean()) ** 2)


def lines(values, invalid="nan"):
    return "".join(f"{v:.6f}\n" if np.isfinite(v) else f"{invalid}\n" for v in values)


def write(path, values, invalid="nan"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(lines(values, invalid))


@pytest.fixture
def release(tmp_path):
    """Labels as released, predictions for all of them in both generations of names, and the series behind them."""
    rng = np.random.default_rng(0)
    series = {}
    for k, (folder, session, role) in enumerate(DYADS + GROUP):
        target = np.round(np.clip(0.5 + np.cumsum(rng.normal(0, 0.02, 300 + k)), 0, 1), 6)
        pred = np.round(np.clip(0.2 + 0.6 * target + rng.normal(0, 0.05, len(target)), 0, 1), 6)
        target[40:60] = np.nan
        series[session, role] = (pred, target)
        write(tmp_path / "labels" / folder / session / f"{role}.engagement.annotation.csv", target, "-nan(ind)")
        (tmp_path / "labels" / folder / session / f"{role}.gender.annotation.csv").write_text(f"0;9;{1 + k % 2};1\n")
        write(tmp_path / "p26" / NAMES_2026[k >= 3].format(session, role), pred)
        write(tmp_path / "p24" / NAMES_2024[k >= 3].format(session, role), pred)
    for session, language in (("002", "English"), ("006", "French")):
        (tmp_path / "labels/noxi/test-base" / session / "language.annotation.csv").write_text(f"0;9;{language};1\n")
    return tmp_path, series


def score(folder, predictions, **changed):
    options = {"truth": folder / "labels", "predictions": folder / predictions, "split": "test", "official": False}
    options |= {"partial": False, "resamples": 200, "confidence": 0.95, "json": folder / "out.json"}
    run(Namespace(**(options | changed)))
    return json.loads((folder / "out.json").read_text())


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


@settings(deadline=None, max_examples=150)
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


EXPERT = NAMES_2026[0].format("006", "expert")


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


def rewritten(values, form):
    """A file of predictions as another program writes it."""
    plain = lines(values)
    texts = plain.splitlines()
    match form:
        case "BOM":
            return b"\xef\xbb\xbf" + plain.encode()
        case "UTF-16":
            return plain.encode("utf-16")
        case "header":
            return f"prediction\n{plain}".encode()
        case "quoted":
            return "".join(f'"{text}"\n' for text in ["engagement", *texts]).encode()
        case "decimal comma":
            return plain.replace(".", ",").encode()
        case "semicolon and sep":
            return (
                ("sep=;\nframe;value\n" + "".join(f"{i};{t}\n" for i, t in enumerate(texts))).replace(".", ",").encode()
            )
        case "pandas' index":
            return (",0\n" + "".join(f"{i},{t}\n" for i, t in enumerate(texts))).encode()
        case "pandas' header":
            return f"0\n{plain}".encode()
        case _:
            return plain.replace("\n", "\r\n").encode()


@pytest.mark.parametrize(
    "form",
    [
        "BOM",
        "UTF-16",
        "header",
        "quoted",
        "decimal comma",
        "semicolon and sep",
        "pandas' index",
        "pandas' header",
        "CR",
    ],
)
def test_predictions_of_other_programs_score_as_plain_ones(release, form, capsys):
    folder, series = release
    expected = score(folder, "p26")["corpora"]["noxi"]["ccc"]
    for _, session, role in DYADS:
        path = folder / "p26" / NAMES_2026[0].format(session, role)
        path.write_bytes(rewritten(series[session, role][0], form))
    capsys.readouterr()
    assert score(folder, "p26")["corpora"]["noxi"]["ccc"] == pytest.approx(expected, abs=1e-9)
    told = "of which the first, 0, is the name of a column" in capsys.readouterr().err
    assert told == (form == "pandas' header")


def test_labels_on_another_scale_are_refused(release):
    folder, series = release
    label = folder / "labels/noxi/test-base/006/expert.engagement.annotation.csv"
    write(label, 1 + 4 * series["006", "expert"][1])
    with pytest.raises(InputError, match=r"expert\.engagement\.annotation\.csv, line 1: .* lies outside \[0, 1\]"):
        score(folder, "p26")


def test_frames_without_a_prediction_count_like_a_file_that_is_too_short(release, capsys):
    folder, series = release
    pred, target = series["006", "expert"]
    sparse = np.where(np.arange(len(pred)) % 100 == 0, pred, np.nan)
    for spoiled in (sparse, pred[:260]):
        write(folder / "p26" / EXPERT, spoiled)
        with pytest.raises(InputError, match="1 of 5 participants cannot be scored"):
            score(folder, "p26")
        card = score(folder, "p26", partial=True)
        padded = np.concatenate([spoiled, np.full(len(pred) - len(spoiled), np.nan)])
        assert card["corpora"]["noxi"]["missing"] == int((np.isnan(padded) & np.isfinite(target)).sum())


@pytest.mark.parametrize(
    ("extra", "told"), [(18, "320 lines, the label has 302; the last 18 are cut"), (-5, "297 lines")]
)
def test_every_difference_of_counts_is_told(release, capsys, extra, told):
    folder, series = release
    pred, _ = series["006", "expert"]
    write(folder / "p26" / EXPERT, np.concatenate([pred, np.full(extra, 0.5)]) if extra > 0 else pred[:extra])
    score(folder, "p26")
    assert told in capsys.readouterr().err


def zipped(path, members, compression=zipfile.ZIP_DEFLATED):
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", compression) as archive:
        warnings.simplefilter("ignore")  # of two members of one name
        for name, content in members:
            archive.writestr(name, content)
    return path


def flipped(path):
    """Damage inside the compressed data of a zip."""
    content = bytearray(path.read_bytes())
    content[60:64] = b"\xff\xff\xff\xff"
    path.write_bytes(bytes(content))


HOSTILE_ZIPS = {
    "a bomb": ([("a.csv", b"0\n" * 100_000_000)], r"KiB that unpack to 191 MiB in 1 files; predictions are at most"),
    "many members": ([(f"{i}.csv", b"") for i in range(9000)], r"in 9000 files; predictions are at most"),
    "two members of one name": ([("a/b.csv", b"1\n"), ("a/b.csv", b"0\n")], r"member 'a/b\.csv': 2 members have"),
    "a name that paints": ([("a\x1b[2J.csv", b"1\n")], r"member 'a\\x1b\[2J\.csv': has characters that cannot"),
    "a name that is too long": ([("x" * 300 + ".csv", b"1\n")], r"cannot be unpacked .*File name too long"),
    "a file that is a folder": ([("a", b"1\n"), ("a/b.csv", b"1\n")], "cannot be unpacked"),
}


@pytest.mark.parametrize("case", HOSTILE_ZIPS)
def test_a_zip_that_cannot_be_predictions_is_refused_in_a_line(release, case):
    folder, _ = release
    members, message = HOSTILE_ZIPS[case]
    zipped(folder / "p.zip", members)
    tracemalloc.start()
    with pytest.raises(InputError, match=rf"p\.zip.*{message}") as raised:
        score(folder, "p.zip")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200 << 20
    assert str(raised.value).isprintable()


def test_a_damaged_zip_is_refused_in_a_line(release):
    folder, series = release
    flipped(
        zipped(
            folder / "p.zip", [("noxi-base/002/expert.engagement.prediction.csv", lines(series["002", "expert"][0]))]
        )
    )
    with pytest.raises(InputError, match=r"p\.zip: not a readable zip"):
        score(folder, "p.zip")


def test_a_constant_prediction_packs_well_and_is_read(release):
    folder, series = release
    members = []
    for (session, role), (pred, _) in series.items():
        name = NAMES_2026[role.startswith("subject")].format(session, role)
        members.append((name, "0.5000000000000000\n" * len(pred)))
    zipped(folder / "p.zip", members)
    assert score(folder, "p.zip")["corpora"]["noxi"]["frames"] == 280 + 281 + 282


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_file_far_longer_than_its_labels_is_not_read(release, kind):
    folder, _ = release
    path = folder / "p26" / EXPERT
    if kind == "parquet":
        path.unlink()
        path = path.with_name("expert.parquet")
        column = pa.DictionaryArray.from_arrays(
            pa.array(np.zeros(3_000_000, np.int8)), pa.array([0.5])
        ).dictionary_decode()
        pq.write_table(pa.table({"prediction": column}), path, compression="zstd")
        assert path.stat().st_size < 20_000
    else:
        path.write_bytes(b"0\n" * 5_000_000)
    tracemalloc.start()
    with pytest.raises(InputError, match=r"expert\..*(9\.5 MiB for 302 label frames|3000000 rows)"):
        score(folder, "p26")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 << 20


def test_names_of_files_reach_the_terminal_in_printed_letters(release, capsys):
    folder, _ = release
    write(folder / "p26/noxi-base/\x1b[2J/expert.engagement.prediction.csv", [0.5])
    score(folder, "p26")
    printed = capsys.readouterr()
    assert "\x1b" not in printed.err + printed.out
    assert r"noxi-base/\x1b[2J/expert" in printed.err
