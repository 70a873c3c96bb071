"""`damamba init` on directories as people have them."""

import csv
import re
import shlex
import shutil
import sys
import time
import unicodedata
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

from damamba.cli import main
from damamba.commands.init import run
from damamba.console import InputError
from damamba.corpus.agreement import read_label
from damamba.corpus.annotations import write_annotation
from damamba.corpus.eaf import Stretch, Tier, write_eaf
from damamba.corpus.labels import Labels
from damamba.corpus.manifest_csv import read_csv
from damamba.corpus.ssi_annotation import ROW_DTYPES, Scheme, SsiAnnotation, write_ssi_annotation
from damamba.ingest.proposal import propose
from damamba_sim.faces.actor import Actor, Pose
from damamba_sim.faces.render import write_video
from tests.conftest import FROZEN_PARAMS, make_video, make_wav, tone

ROOT = Path(__file__).parents[2]
SECONDS = 2


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    folder = tmp_path_factory.mktemp("media")
    make_wav(folder / "a.wav", tone(SECONDS))
    return make_video(folder / "v.mp4", np.arange(SECONDS * 25) / 25), folder / "a.wav"


@pytest.fixture
def place(tmp_path, media, monkeypatch):
    """Put recordings into a directory, by their paths; with sound and, unless switched off, labels."""
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "recordings"

    def put(*names, labels=True):
        for name in names:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(media[0], path)
            shutil.copy(media[1], path.with_suffix(".wav"))
            if labels:
                path.with_suffix(".csv").write_text("0.4\n0.5\n" * SECONDS * 12 + "nan\n0.5\n")
        return root

    return put


def init(root, **changed):
    run(
        Namespace(
            **({"root": root, "force": False, "language": "de", "scheme": "engagement", "no_faces": True} | changed)
        )
    )
    return read_csv(root, "manifest.csv", "own")


def rows(root):
    with (root / "manifest.csv").open() as stream:
        return list(csv.DictReader(stream))


def test_folders_are_sessions_and_files_are_people(place, capsys):
    root = place("s1/anna.mp4", "s1/ben.mp4", "s2/cleo.mp4", "s2/dan.mp4", "s3/eva.mp4", "s3/finn.mp4")
    manifest = init(root)
    assert [(p.session, p.participant, p.person) for p in manifest[:2]] == [
        ("s1", "anna", "anna"),
        ("s1", "ben", "ben"),
    ]
    assert {p.split for p in manifest} == {"train", "val", "test"}
    assert all(p.language == "de" and p.label and p.audio.endswith(".wav") for p in manifest)
    printed = capsys.readouterr().out
    assert "3 sessions, 6 participants (6 labelled), 6 persons, 12 s of video" in printed
    assert "dvc exp run -S 'corpus.sources=[folder]' -S corpus.folder.root=" in printed
    assert "PROBLEM" not in printed


def test_people_who_meet_again_stay_in_one_split(place):
    root = place("s1/anna.mp4", "s1/ben.mp4", "s2/ben.mp4", "s2/cleo.mp4", "s3/dan.mp4", "s4/eva.mp4")
    splits = {p.session: p.split for p in init(root)}
    assert splits["s1"] == splits["s2"]
    assert len({splits["s1"], splits["s3"], splits["s4"]}) == 3


def test_seats_are_other_people_in_every_session(place):
    root = place("s1/left.mp4", "s1/right.mp4", "s2/left.mp4", "s2/right.mp4")
    assert {p.person for p in init(root)} == {"s1-left", "s1-right", "s2-left", "s2-right"}
    assert {p.role for p in init(root)} == {"left", "right"}


def test_files_side_by_side_are_joined_by_what_their_names_share(place):
    root = place("talk1_anna.mp4", "talk1_ben.mp4", "alone.mp4")
    keys = {(p.session, p.participant) for p in init(root)}
    assert keys == {("talk1", "anna"), ("talk1", "ben"), ("alone", "a")}


def test_the_releases_names_are_understood(place, media):
    root = place("noxi/train/001/expert.video.mp4", "noxi/val/007/expert.video.mp4", labels=False)
    for session, split in (("001", "train"), ("007", "val")):
        folder = root / f"noxi/{split}/{session}"
        (folder / "expert.video.wav").rename(folder / "expert.audio.wav")
        (folder / "expert.engagement.annotation.csv").write_text("0.4\n0.5\n" * SECONDS * 12 + "nan\n0.5\n")
    proposed = propose(root, "").rows
    assert [(r.session, r.participant, r.split) for r in proposed] == [
        ("noxi-001", "expert", "train"),
        ("noxi-007", "expert", "val"),
    ]
    assert proposed[0].audio.endswith("expert.audio.wav")
    assert proposed[0].label.endswith("expert.engagement.annotation.csv")


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


def test_names_become_what_the_manifest_allows(place):
    root = place("Sitzung 1/Jürgen Müller.mp4", "Sitzung 1/ben (2).mp4", labels=False)
    assert {(r.session, r.participant) for r in propose(root, "").rows} == {
        ("Sitzung-1", "Jurgen-Muller"),
        ("Sitzung-1", "ben-2"),
    }


def test_corrections_of_a_manifest_are_never_overwritten(place, capsys):
    root = place("s1/anna.mp4", "s2/ben.mp4", labels=False)
    init(root)
    before = (root / "manifest.csv").read_text()
    header, *lines = before.splitlines()
    lines[0] = lines[0].replace("s1,anna,participant,", "dyad1,anna,host,").replace(",anna,", ",Anna-K,", 1)
    corrected = "\n".join([f"{header},gender,mine", *(f"{line},female,x" for line in lines)]) + "\n"
    (root / "manifest.csv").write_text(corrected)
    capsys.readouterr()
    init(root)
    assert (root / "manifest.csv").read_text() == corrected
    assert "is as it was; nothing is new" in capsys.readouterr().out
    time.sleep(0.02)  # files that come later are newer
    place("s1/cleo.mp4", "s3/anna.mp4", labels=False)
    (root / "s2/ben.csv").write_text("0.5\n" * SECONDS * 25)
    init(root)
    after = rows(root)
    assert [(r["session"], r["participant"], r["role"], r["person"], r["gender"], r["mine"]) for r in after[:2]] == [
        ("dyad1", "Anna-K", "host", "anna", "female", "x"),
        ("s2", "ben", "participant", "ben", "female", "x"),
    ]
    assert after[1]["label"] == "s2/ben.csv"
    # sessions and people have the names that they were given, and so their splits
    assert [(r["session"], r["participant"], r["person"]) for r in after[2:]] == [
        ("dyad1", "cleo", "cleo"),
        ("s3", "anna", "anna"),
    ]
    assert {r["split"] for r in after if r["session"] == "dyad1" or r["person"] == "anna"} == {after[0]["split"]}
    out = capsys.readouterr().out
    assert "2 rows added, 1 fields filled in; everything else is as it was" in out
    assert "note: s2/ben: label s2/ben.csv is new, and is filled in" in out


def test_what_was_removed_from_a_manifest_stays_removed_and_is_named(place, capsys):
    root = place("s1/anna.mp4", "s2/ben.mp4", "s3/cleo.mp4")
    init(root)
    time.sleep(0.02)
    header, anna, ben, _ = (root / "manifest.csv").read_text().splitlines()
    text = "\n".join([header, anna, ben.replace("s2/ben.csv", "")]) + "\n"
    (root / "manifest.csv").write_text(text)
    capsys.readouterr()
    init(root)
    assert (root / "manifest.csv").read_text() == text
    out = capsys.readouterr().out
    assert "s2/ben: label is empty; if it is wanted, write s2/ben.csv into it" in out
    assert "s3/cleo.mp4: there is no row for it; if it is wanted, add one" in out


def test_a_manifest_that_is_made_anew_leaves_the_old_one_beside_it(place, capsys):
    root = place("s1/anna.mp4", "s2/ben.mp4")
    init(root)
    old = (root / "manifest.csv").read_text().replace("anna,participant", "anna,host")
    for k in (1, 2):
        (root / "manifest.csv").write_text(old)
        init(root, force=True)
        assert (root / f"manifest.csv.{k}").read_text() == old
        assert rows(root)[0]["role"] == "participant"
        assert f"manifest.csv: moved to {root}/manifest.csv.{k}" in capsys.readouterr().out


def test_splits_are_shared_out_over_the_sessions_with_labels(place, capsys):
    names = [f"s{k}/p-{k}x.mp4" for k in range(9)]
    root = place(*names, labels=False)
    for k in (2, 5, 8):
        (root / f"s{k}/p-{k}x.csv").write_text("0.4\n0.5\n" * SECONDS * 12 + "nan\n0.5\n")
    splits = {p.session: p.split for p in init(root)}
    assert {splits[f"s{k}"] for k in (2, 5, 8)} == {"train", "val", "test"}
    assert {splits[f"s{k}"] for k in (0, 1, 3, 4, 6, 7)} == {"test"}


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


SERIES = "0.4\n0.5\n" * SECONDS * 12 + "nan\n0.5\n"
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


SCRIPTS = {
    "Chinese": ("会议一", "会议二", "张伟", "王芳"),
    "Cyrillic": ("встреча", "разговор", "анна", "борис"),
    "Arabic": ("لقاء", "محادثة", "سارة", "أحمد"),
    "Latin beyond ASCII": ("Gespräch", "Gesprach", "Jürgen", "Jurgen"),
    "strokes": ("Ø", "Ł", "Søren", "Sren"),
    "capitals": ("S1", "s1", "Anna", "anna"),
    "blanks": ("a b", "a-b", "c (1)", "c-1"),
    "long names": ("x" * 70 + "1", "x" * 70 + "2", "y" * 70 + "1", "y" * 70 + "2"),
    "a name that ends like a label": ("s1", "s2", "expert", "expert.label"),
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_names_in_any_script_stay_apart(place, script):
    first, second, one, other = SCRIPTS[script]
    root = place(*(f"{session}/{name}.mp4" for session in (first, second) for name in (one, other)))
    for session in (first, second):
        for name, value in ((one, "0.25"), (other, "0.75")):
            (root / session / f"{name}.csv").write_text(f"{value}\n" * SECONDS * 25)
    manifest = init(root)
    assert len({p.session for p in manifest}) == 2
    assert len({p.key for p in manifest}) == 4
    assert len({p.person for p in manifest}) == (3 if one == "expert" else 2)  # expert is a seat
    assert len({p.name.lower() for p in manifest}) == 4
    assert not any(p.participant.endswith(".label") for p in manifest)
    for p in manifest:
        assert Path(p.label).with_suffix("") == Path(p.video).with_suffix("") == Path(p.audio).with_suffix("")
        assert p.label.removesuffix(".csv") == p.video.removesuffix(".mp4")


def test_composed_and_decomposed_names_are_the_same(place):
    root = place("s1/Jürgen.mp4", "s2/ben.mp4", labels=False)
    (root / "s1" / unicodedata.normalize("NFD", "Jürgen.csv")).write_text(SERIES)
    assert unicodedata.normalize("NFC", propose(root, "").rows[0].label) == "s1/Jürgen.csv"


def test_two_videos_of_one_participant_are_refused(place, media):
    root = place("s1/anna.mp4", "s2/ben.mp4")
    shutil.copy(media[0], root / "s1/anna.mkv")
    with pytest.raises(
        InputError, match=r"s1/anna\.mkv, .*s1/anna\.mp4: would be the same participant anna of session s1"
    ):
        init(root)
    assert not (root / "manifest.csv").exists()


def test_one_name_in_two_splits_is_two_sessions(place):
    root = place("train/001/left.mp4", "val/001/left.mp4", labels=False)
    (root / "val/001/left.csv").write_text(SERIES)
    assert [(r.session, r.split, r.label) for r in propose(root, "").rows] == [
        ("train-001", "train", ""),
        ("val-001", "val", "val/001/left.csv"),
    ]


@pytest.mark.parametrize("name", ["a\x1b[31mb", "a\nb", "a\u2028b", " a", "a\x9bb"])
def test_names_that_cannot_be_printed_are_refused_in_printed_letters(place, media, name):
    root = place("s1/anna.mp4")
    shutil.copy(media[0], root / f"{name}.mp4")
    with pytest.raises(InputError, match="cannot be printed; rename it") as raised:
        init(root)
    assert str(raised.value).isprintable()


def test_a_name_that_a_spreadsheet_would_run_is_written_as_a_path(place):
    root = place("=HYPERLINK(1)/@sum.mp4", "-x/+1.mp4")
    manifest = init(root)
    for row in rows(root):
        assert row["video"][0] == row["audio"][0] == row["label"][0] == "."
        assert not any(value.startswith(("=", "+", "-", "@")) for value in row.values())
    assert all(Path(p.video).is_file() and Path(p.label).is_file() for p in manifest)
    before = (root / "manifest.csv").read_text()
    init(root)
    assert (root / "manifest.csv").read_text() == before
    with pytest.raises(InputError, match=r"language is '=1\+1'"):
        init(root, language="=1+1")


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


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (
            lambda p: p.with_suffix(".csv").write_text("0.5\n" * 20),
            r"anna\.csv: 20 labels are 0\.80 s, .* lasts 2\.00 s",
        ),
        (lambda p: p.with_suffix(".csv").write_text("7\n" * 50), r"anna\.csv, line 1: 7 lies outside"),
        (lambda p: p.with_suffix(".wav").write_bytes(p.read_bytes()), r"anna\.wav: no audio in it, only video"),
        (lambda p: outside(p), r"anna\.mp4: leads out of .*recordings"),
        (lambda p: p.write_bytes(b""), r"anna\.mp4: the file is empty"),
    ],
)
def test_what_must_be_corrected_is_named_beside_the_table(place, capsys, spoil, expected):
    root = place("s1/anna.mp4", "s2/ben.mp4")
    spoil(root / "s1/anna.mp4")
    with pytest.raises(InputError, match=expected) as raised:
        init(root)
    assert "1 problems; correct them, then run again: damamba init" in str(raised.value)
    out = capsys.readouterr().out
    assert [line.split()[-1] for line in out.splitlines()[2:4]] == ["PROBLEM", "good"]


def outside(path: Path) -> None:
    """Put a file elsewhere, and a link in its place."""
    (path.parents[2] / "elsewhere").mkdir()
    path.symlink_to(path.rename(path.parents[2] / "elsewhere" / path.name))


def test_a_video_without_sound_is_accepted_and_told(place, capsys):
    root = place("s1/anna.mp4", "s2/ben.mp4", "s3/eva.mp4")
    (root / "s1/anna.wav").unlink()
    make_wav(root / "s2/ben.wav", np.zeros(SECONDS * 16_000))
    init(root)
    out = capsys.readouterr().out
    assert "note: s1/anna: no sound: the video has no sound track" in out
    assert "note: s2/ben: the sound is digital silence from beginning to end" in out
    assert [line.split()[-1] for line in out.splitlines()[2:5]] == ["look", "look", "good"]


def test_sound_and_picture_of_different_lengths_are_noted(place, media, capsys):
    root = place("s1/anna.mp4", "s1/ben.mp4", "s2/eva.mp4")
    make_wav(root / "s1/anna.wav", tone(SECONDS + 3))
    make_video(root / "s1/ben.mp4", np.arange((SECONDS + 2) * 25) / 25)
    (root / "s1/ben.csv").unlink()
    init(root)
    printed = capsys.readouterr().out
    assert "s1/anna: sound is 3.0 s longer than the picture" in printed
    assert "lengths differ: anna 2.0 s, ben 4.0 s" in printed


def test_without_labels_the_next_step_is_to_annotate(place, capsys):
    init(place("s1/anna.mp4", "s2/ben.mp4", labels=False))
    printed = capsys.readouterr().out
    assert "Labels are needed in the split train and test" in printed
    assert "dvc exp run" not in printed


def test_a_directory_without_videos_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match=r"no video in it \(1 files\)"):
        init(tmp_path)
    with pytest.raises(InputError, match="no such directory"):
        init(tmp_path / "nowhere")


def test_a_video_of_two_people_is_refused_with_the_commands_that_cut_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copy(FROZEN_PARAMS, tmp_path)
    (tmp_path / "data").symlink_to(ROOT / "data")
    actors = [Actor(seed, ROOT / "data/landmarker/face_landmarker.task", 320, 240) for seed in (0, 1)]
    pictures = (np.concatenate([actor.render(Pose(), k) for actor in actors], axis=1) for k in range(25))
    (tmp_path / "recordings").mkdir()
    write_video(tmp_path / "recordings/talk.mp4", pictures, (np.arange(25) / 25).tolist(), 25)
    make_wav(tmp_path / "recordings/talk.wav", tone(1))
    with pytest.raises(InputError, match=r"talk\.mp4: shows 2 people; damamba needs one file a person"):
        init(Path("recordings"), no_faces=False)
    printed = capsys.readouterr().out
    assert "mkdir -p recordings/talk" in printed
    assert printed.count("ffmpeg -i recordings/talk.mp4 -vf crop=") == 2
    assert "recordings/talk/p2.mp4" in printed
