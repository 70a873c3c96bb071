"""`damamba init` where a manifest is there."""

import time

import numpy as np

from damamba.corpus.ssi import write_stream
from tests.commands.recordings import SECONDS, init, rows


def make_stream_files(folder):
    for name in ("anna", "ben"):
        write_stream(folder / f"{name}.x.stream", np.zeros((50, 2), np.float32), 25.0)


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


def test_a_manifest_of_streams_alone_is_kept(tmp_path, capsys):
    make_stream_files(tmp_path)
    header = "session,participant,role,split,language,person,video,audio,label,streams"
    text = f"{header}\ns1,anna,host,train,de,anna,,,,anna.x.stream\ns2,ben,host,test,de,ben,,,,ben.x.stream\n"
    (tmp_path / "manifest.csv").write_text(text)
    assert len(init(tmp_path)) == 2
    assert (tmp_path / "manifest.csv").read_text() == text
