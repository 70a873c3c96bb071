"""`damamba init`: which files become a label, and what is said of the others."""

import re
import shlex
import shutil
import sys

import numpy as np
import pytest

from damamba.cli import main
from damamba.console import InputError
from damamba.corpus.agreement import read_label
from damamba.corpus.annotations import write_annotation
from damamba.corpus.eaf import Stretch, Tier, write_eaf
from damamba.corpus.labels import Labels
from damamba.corpus.ssi_annotation import ROW_DTYPES, Scheme, SsiAnnotation, write_ssi_annotation
from damamba.ingest.proposal import propose
from tests.commands.recordings import SECONDS, SERIES, init, rows
from tests.conftest import make_video, make_wav, tone


def test_labels_and_sound_may_lie_in_folders_of_their_own(place):
    root = place("s1/anna.mp4", "s1/ben.mp4")
    for kind, suffix in (("labels", ".csv"), ("audio", ".wav")):
        (root / kind / "s1").mkdir(parents=True)
        (root / f"s1/anna{suffix}").rename(root / kind / f"s1/anna{suffix}")
    row = propose(root, "").rows[0]
    assert (row.audio, row.label) == ("audio/s1/anna.wav", "labels/s1/anna.csv")


def test_labels_of_other_tools_and_of_several_annotators_are_found(place, capsys):
    root = place("s1/anna.mp4", "s1/ben.mp4", "talk_cleo.mp4", "talk_dan.mp4", labels=False)
    labels = Labels(np.linspace(0, 1, SECONDS * 25, dtype=np.float32), np.ones(SECONDS * 25, bool))
    for name in ("s1/anna.eaf", "s1/ben.rater1.annotation", "s1/ben.rater2.csv", "talk_cleo_x.csv", "talk_cleo_y.csv"):
        write_annotation(root / name, labels)
    manifest = {p.participant: p.label for p in init(root)}
    assert manifest == {
        "anna": str(root / "s1/anna.eaf"),
        "ben": f"{root}/s1/ben.rater1.annotation;{root}/s1/ben.rater2.csv",
        "cleo": f"{root}/talk_cleo_x.csv;{root}/talk_cleo_y.csv",
        "dan": "",
    }
    assert capsys.readouterr().out.count("50 (100%)") == 3
    init(root)  # what was written is read again


def label_of(root, capsys, **changed):
    """Label of the only labelled row, relative to `root`, and what was printed."""
    capsys.readouterr()
    init(root, **changed)
    (label,) = {row["label"] for row in rows(root)} - {""} or {""}
    return label, capsys.readouterr().out


def nova(path, scheme, annotator="", value=0.5):
    n = SECONDS * 25
    data = np.full(n, 0, ROW_DTYPES["CONTINUOUS"])
    data["score"], data["conf"] = value, 1
    write_ssi_annotation(path, SsiAnnotation(Scheme(scheme, "CONTINUOUS", 25.0), data, "", annotator))


CSV_FILES = {
    "two schemes": (["arousal", "valence"], "", ["arousal", "valence"]),
    "engagement among others": (["engagement", "arousal"], "engagement", ["arousal"]),
    "raters of engagement": (["engagement.hans", "engagement.grete"], "engagement.grete;engagement.hans", []),
    "raters of several": (["engagement.r1", "engagement.r2", "valence.r1"], "engagement.r1;engagement.r2", ["valence"]),
    "raters without a scheme": (["rater1", "rater2"], "rater1;rater2", []),
    "unknown words": (["hans", "grete"], "", ["hans", "grete"]),
    "a joint label beside its raters": (["engagement", "engagement.r1"], "engagement", ["engagement.csv is taken"]),
    "predictions": (["engagement.prediction", "engagement"], "engagement", ["predictions"]),
    "the challenge's names": (["engagement.annotation", "gender.annotation"], "engagement.annotation", ["gender"]),
}


@pytest.mark.parametrize("case", CSV_FILES)
def test_a_label_is_of_one_scheme_and_everything_else_is_listed(place, capsys, case):
    names, expected, listed = CSV_FILES[case]
    root = place("s1/anna.mp4", "s2/ben.mp4", labels=False)
    for name in names:
        (root / f"s1/anna.{name}.csv").write_text(SERIES)
    label, out = label_of(root, capsys)
    assert label == ";".join(f"s1/anna.{name}.csv" for name in expected.split(";") if name)
    if ";" in expected:
        assert f"s1/anna: annotators who are joined: {label.replace(';', ', ')}" in out
    for kind in listed:
        assert f"labels that are not used ({kind}" in out or f"{kind})" in out
    assert ("labels that are not used" in out) == bool(listed)


def test_schemes_of_nova_are_read_from_its_headers(place, capsys):
    root = place("s1/anna.mp4", "s2/ben.mp4", labels=False)
    nova(root / "s1/anna.engagement.annotation", "engagement", value=0.25)
    nova(root / "s1/anna.valence.annotation", "valence", value=0.75)
    nova(root / "s1/anna.a.annotation", "arousal")
    label, out = label_of(root, capsys)
    assert label == "s1/anna.engagement.annotation"
    assert "(valence): s1/anna.valence.annotation" in out
    assert "(arousal): s1/anna.a.annotation" in out
    label, _ = label_of(root, capsys, force=True, scheme="valence")
    assert label == "s1/anna.valence.annotation"


def test_a_header_that_contradicts_the_name_is_believed(place, capsys):
    root = place("s1/anna.mp4", "s2/ben.mp4", labels=False)
    nova(root / "s1/anna.engagement.annotation", "valence")
    (root / "s2/ben.csv").write_text("arousal\n" + SERIES)
    label, out = label_of(root, capsys)
    assert label == ""
    assert "(valence): s1/anna.engagement.annotation" in out
    assert "(arousal): s2/ben.csv" in out


TIERS = {
    "engagement among others": (["turns", "engagement", "valence"], "#engagement", ["turns", "valence"]),
    "the only tier, of another thing": (["valence"], "", ["valence"]),
    "the only tier, without a meaning": (["default"], "-", []),
    "the only tier, named after the participant": (["anna"], "-", []),
    "annotators": (["engagement_r1", "engagement_r2", "turns"], "#engagement_r1;#engagement_r2", ["turns"]),
    "both participants": (["engagement@anna", "engagement@ben"], "#engagement@anna", ["of another participant"]),
}


@pytest.mark.parametrize("case", TIERS)
def test_schemes_of_elan_are_its_tiers(place, capsys, case):
    names, expected, listed = TIERS[case]
    root = place("s1/anna.mp4", "s1/ben.mp4", "s2/cleo.mp4", labels=False)
    write_eaf(root / "s1/anna.eaf", [Tier(name, (Stretch(0, 1, "0.25"), Stretch(1, 2, "0.5"))) for name in names])
    label, out = label_of(root, capsys)
    parts = [part.replace("-", "") for part in expected.split(";") if part]
    assert label == ";".join(f"s1/anna.eaf{part}" for part in parts)
    for kind in listed:
        assert f"labels that are not used ({kind})" in out


def test_one_annotator_in_two_formats_counts_once(place, capsys):
    root = place("s1/anna.mp4", "s2/ben.mp4", labels=False)
    labels = Labels(np.linspace(0, 1, SECONDS * 25, dtype=np.float32), np.ones(SECONDS * 25, bool))
    for name in ("anna.rater1.csv", "anna.rater1.eaf", "anna.rater2.csv"):
        write_annotation(root / "s1" / name, labels)
    label, out = label_of(root, capsys)
    assert sorted(label.split(";")) == ["s1/anna.rater1.eaf", "s1/anna.rater2.csv"]
    assert "(s1/anna.rater1.eaf is taken): s1/anna.rater1.csv" in out


def test_files_that_fit_no_video_are_listed(place, capsys):
    root = place("s1/anna.mp4", "s2/ben.mp4", labels=False)
    (root / "s1/nobody.csv").write_text("0.5\n")
    shutil.copy(root / "s1/anna.wav", root / "s1/anna.close.wav")
    shutil.copy(root / "s1/anna.wav", root / "s1/anna.flac")
    init(root)
    out = capsys.readouterr().out
    assert "1 files are not used, because they are called like no video: s1/nobody.csv" in out
    assert "1 files are not used, because they are called like no video: s1/anna.close.wav" in out
    assert "s1/anna: s1/anna.flac is not used: s1/anna.wav is taken" in out


COUNTS = {
    "a header called 0": ("0\n" + "0.5\n" * 50, "51/50", "its first line, 0, is the name of a column; 50 values"),
    "a header of text": ("value\n" + "0.5\n" * 50, "50/50", ""),
    "a line too many": ("0.5\n" * 51, "51/50", "51 lines, where 50 are expected for 2.00 s; the last 1 are cut"),
    "missing lines": ("0.5\n" * 45, "45/50", "45 lines, where 50 are expected for 2.00 s; the last 5 are missing"),
    "as many as expected": ("0.5\n0.6\n" * 25, "50/50", ""),
    "stretches": ("0;1;0.5\n1;2;0.6\n", "  50 ", ""),
}


@pytest.mark.parametrize("case", COUNTS)
def test_the_counts_of_labels_are_told(place, capsys, case):
    text, counts, note = COUNTS[case]
    root = place("s1/anna.mp4", "s2/ben.mp4", labels=False)
    (root / "s1/anna.csv").write_text(text)
    init(root)
    out = capsys.readouterr().out
    assert counts in out.splitlines()[2]
    assert note in out
    assert ("anna.csv: " in out) == bool(note)


@pytest.mark.parametrize("rate_hz", [24, 24000 / 1001, 30, 30000 / 1001, 50])
def test_one_label_a_video_frame_asks_for_the_rate_with_a_command_that_runs(place, capsys, monkeypatch, rate_hz):
    root = place("s1/anna (1).mp4", "s2/ben.mp4", labels=False)
    n = round(3 * rate_hz)
    make_video(root / "s1/anna (1).mp4", np.arange(n) / rate_hz)
    make_wav(root / "s1/anna (1).wav", tone(n / rate_hz))
    values = np.linspace(0, 1, n)
    (root / "s1/anna (1).csv").write_text("".join(f"{value:.6f}\n" for value in values))
    with pytest.raises(InputError, match=rf"{n} lines for the {n} frames of the video, but labels have 25") as raised:
        init(root)
    command = re.search(r"damamba (convert .*--rate-hz \S+)", str(raised.value))[1]
    monkeypatch.setattr(sys, "argv", ["damamba", *shlex.split(command)])
    main()
    (root / "manifest.csv").unlink()
    (row, _) = init(root)
    assert row.label.endswith("anna (1).engagement.csv")
    labels = read_label(row.label, n / rate_hz, 0.5).labels
    assert abs(labels.value[-2] - np.interp(len(labels) - 2, [0, 3 * 25], [0, 1])) < 0.03


def test_in_a_flat_folder_a_label_has_the_whole_name_of_its_video(place):
    root = place("talk1_anna.mp4", "talk1_ben.mp4", "alone.mp4", labels=False)
    for name in ("anna.csv", "a.csv", "talk1_ben.csv", "labels/alone.csv"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(SERIES)
    proposed = propose(root, "")
    assert {row.participant: row.label for row in proposed.rows} == {
        "a": "labels/alone.csv",
        "anna": "",
        "ben": "talk1_ben.csv",
    }
    assert "2 files are not used, because they are called like no video: a.csv, anna.csv" in proposed.notes
