import json
from dataclasses import astuple, replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from damamba.config import EvaluateParams
from damamba.console import InputError
from damamba.corpus.manifest import RESERVED, Manifest, Participant, join, label_files
from damamba.corpus.manifest_csv import COLUMNS, ManifestRow, add_rows, read_csv, read_rows
from damamba.corpus.region import Region
from damamba.data.shards import AlignedSeat, AlignedSession
from damamba.metrics import find_metrics
from damamba.scoring.evaluate import score_participant, write_scores
from tests.damage import damages

HEADER = ",".join(COLUMNS)


@pytest.fixture
def folder(tmp_path):
    for name in ("a.mp4", "b.mp4", "a.wav", "a.csv"):
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def write(folder, *rows):
    (folder / "manifest.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    return read_csv(folder, "manifest.csv", "own")


def test_rows_become_participants_in_order(folder):
    rows = write(folder, "s2,b,guest,train,de,p2,b.mp4,,", "s1,a,host,test,en,p1,a.mp4,a.wav,a.csv")
    assert [row.name for row in rows] == ["own/s1/a", "own/s2/b"]
    assert rows[0].label.endswith("a.csv")
    assert rows[1].label == ""
    assert rows[1].audio == rows[1].video  # one file holds both


def test_manifest_is_read_as_it_was_written(folder, tmp_path):
    manifest = join([write(folder, "s1,a,host,test,en,p1,a.mp4,a.wav,a.csv")])
    manifest.write(tmp_path / "m.jsonl")
    assert Manifest.read(tmp_path / "m.jsonl") == manifest
    with pytest.raises(InputError, match="no session '7'"):
        manifest.of_session("7")
    assert manifest.of_session("own/s1") == manifest


def test_further_labels_stand_in_columns_of_their_own(folder, tmp_path):
    def read(*cells, also=("mood",)):
        row = "s1,a,host,test,en,p1,a.mp4,a.wav,"
        lines = [f"{HEADER},label.mood,label.other", f"{row}{','.join(cells)}"]
        (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
        return read_csv(folder, "manifest.csv", "own", also)

    (folder / "m.csv").write_bytes(b"x")
    (both,) = read("a.csv", "m.csv", "gone.csv")
    assert both.also == {"mood": (folder / "m.csv").as_posix()}
    assert both.of_label("mood").label == both.also["mood"]
    (alone,) = read("", "m.csv", "")
    assert (alone.label, alone.labelled) == ("", True)
    (none,) = read("a.csv", "m.csv", "", also=())
    assert none.also == {}
    join([[both]]).write(tmp_path / "m.jsonl")
    assert Manifest.read(tmp_path / "m.jsonl").participants[0] == both
    join([[none]]).write(tmp_path / "m.jsonl")
    assert '"also"' not in (tmp_path / "m.jsonl").read_text()
    with pytest.raises(InputError, match=r"line 2: label\.mood 'gone\.csv' is missing"):
        read("a.csv", "gone.csv", "")
    with pytest.raises(InputError, match=r"line 2: label and label\.mood are both 'a\.csv'; each label has a file"):
        read("a.csv", "a.csv", "")


def test_a_person_with_any_label_is_in_one_split_only(folder):
    lines = [f"{HEADER},label.mood", "s1,a,host,train,en,p,a.mp4,,a.csv,", "s2,b,host,test,en,p,b.mp4,,,a.wav"]
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match="person p of own is in the splits test and train"):
        read_csv(folder, "manifest.csv", "own", ("mood",))


def test_people_of_one_video_are_told_apart_by_region_or_reference(folder, tmp_path):
    (folder / "b.png").write_bytes(b"x")
    lines = [
        f"{HEADER},region,reference",
        's,a,host,test,en,p1,a.mp4,,,"0,0,0.5,1",',
        "s,b,host,test,en,p2,a.mp4,,,,b.png",
    ]
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    a, b = read_csv(folder, "manifest.csv", "own")
    assert (a.region, a.reference) == ("0,0,0.5,1", "")
    assert b.reference.endswith("b.png")
    add_rows(
        folder / "manifest.csv", [replace(read_rows(folder / "manifest.csv")[0], participant="c", video="b.mp4")], {}
    )
    assert [row.region for row in read_rows(folder / "manifest.csv")] == ["0,0,0.5,1", "", "0,0,0.5,1"]
    join([[a, b]]).write(tmp_path / "m.jsonl")
    assert Manifest.read(tmp_path / "m.jsonl").participants == (a, b)


def test_who_is_alone_in_a_video_is_written_without_the_fields_of_those_who_share_one(folder, tmp_path):
    """Manifests of earlier versions stay the same to the byte."""
    join([write(folder, "s1,a,host,test,en,p1,a.mp4,a.wav,a.csv")]).write(tmp_path / "m.jsonl")
    assert not {"region", "reference", "reference_sha256"} & set(
        json.loads((tmp_path / "m.jsonl").read_text().split("\n")[1])
    )


@given(st.tuples(*[st.floats(0, 1)] * 4))
def test_a_region_is_read_as_it_was_written(numbers):
    left, top, right, bottom = numbers
    region = Region(min(left, right), min(top, bottom), abs(left - right), abs(top - bottom))
    assume(region.width > 1e-3 and region.height > 1e-3)
    again = Region.parse(str(region)) if max(region.left + region.width, region.top + region.height) < 0.999 else region
    assert np.allclose(astuple(again), astuple(region), atol=1e-4)
    assert again.holds(*np.array([left + right, top + bottom]) * 320, width_px=640, height_px=640)


def test_an_empty_shortened_or_damaged_manifest_is_refused(folder, tmp_path):
    """Its participants would lose their shards otherwise."""
    path = tmp_path / "m.jsonl"
    join([write(folder, "s1,a,host,test,en,p1,a.mp4,,", "s2,b,host,test,en,p2,b.mp4,,")]).write(path)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    shortened = [b"", b"\n", lines[0], b"".join(lines[:2]), b"".join(lines[1:])]
    for damaged in [*shortened, *(content for _, content in damages(whole, 60, 0))]:
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"m\.jsonl: damaged \(.*dvc repro -f ingest"):
            Manifest.read(path)
    Manifest(()).write(path)
    with pytest.raises(InputError, match=r"damaged \(0 of 0 participants"):
        Manifest.read(path)


def test_a_line_separator_inside_a_value_ends_no_line(tmp_path):
    person = Participant("own", "s", "p", "p", "train", "en\u2028\x85x", "p", "a\u2028.mp4", "", "")
    Manifest((person,)).write(tmp_path / "m.jsonl")
    assert Manifest.read(tmp_path / "m.jsonl").participants == (person,)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["s1,a,host,train,en,p1,gone.mp4,,"], r"line 2: video 'gone\.mp4' is missing"),
        (["s1,a,host,train,en,p1,a.mp4,,gone.csv"], "line 2: label 'gone.csv' is missing"),
        (["s1,a,host,train,en,p1,a.mp4,,", "s1,a,host,train,en,p1,b.mp4,,"], "own/s1/a is listed twice"),
        (
            ["s1,a,host,train,en,p1,a.mp4,,", "s2,a,host,test,en,p1,b.mp4,,"],
            "person p1 of own is in the splits test and train",
        ),
        (
            ["s1,a,host,train,en,p1,a.mp4,,", "s1,b,host,test,en,p2,b.mp4,,"],
            "session s1 of own is in the splits test and train",
        ),
        (["s1,a,host,train,en,p1,../x.mp4,,"], "leads out of"),
        (["s1,a,host,train,en,p1,/etc/passwd,,"], "not a path below"),
        (["s1,a,host,training,en,p1,a.mp4,,"], "split is 'training'; use train, val or test"),
        (["s1,a,host,train,en,p1,a.mp4,,a.csv;gone.eaf#host"], "line 2: label 'gone.eaf' is missing"),
        (["s 1,a,host,train,en,p1,a.mp4,,"], "session is 's 1'"),
        (["s1,a,host,train,en,p1,a.mp4"], "not as many fields"),
        ([], "no rows"),
    ],
)
def test_bad_rows_are_named_with_line_and_remedy(folder, rows, expected):
    with pytest.raises(InputError, match=expected):
        write(folder, *rows)


def test_a_link_out_of_the_folder_is_refused(folder, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "v.mp4"
    outside.write_bytes(b"x")
    (folder / "link.mp4").symlink_to(outside)
    with pytest.raises(InputError, match="leads out of"):
        write(folder, "s1,a,host,train,en,p1,link.mp4,,")


def test_all_problems_are_reported_at_once(folder):
    with pytest.raises(InputError) as raised:
        write(folder, "s1,a,host,train,en,p1,gone.mp4,,", "s1,b,host,nope,en,p2,b.mp4,,")
    assert len(str(raised.value).splitlines()) == 2


def test_a_missing_column_is_named(folder):
    (folder / "manifest.csv").write_text("session,participant\n")
    with pytest.raises(InputError, match="missing column role, split"):
        read_csv(folder, "manifest.csv", "own")


def test_several_annotators_and_tiers_of_one_file_stand_in_one_field(folder):
    (folder / "a.eaf").write_text("x")
    (row,) = write(folder, "s1,a,host,train,en,p1,a.mp4,,a.csv; a.eaf#host one ;a.eaf#other")
    files = [(str(folder / "a.csv"), None), (str(folder / "a.eaf"), "host one"), (str(folder / "a.eaf"), "other")]
    assert label_files(row.label) == files


@pytest.mark.parametrize("name", [*RESERVED, "Global"])
def test_a_corpus_may_not_have_the_name_of_another_key_in_the_files_of_results(folder, name):
    (folder / "manifest.csv").write_text(f"corpus,{HEADER}\n{name},s1,a,host,train,en,p1,a.mp4,,\n")
    with pytest.raises(InputError, match=f"line 2: corpus is '{name}'.*rename it"):
        read_csv(folder, "manifest.csv", "own")


def test_every_key_beside_the_corpora_in_a_file_of_scores_is_reserved(tmp_path):
    params = EvaluateParams(split="test", metrics=("ccc",), bootstrap=2, confidence=0.9)
    metrics = find_metrics(params)
    session = AlignedSession("own", "s", "test", "de", 9, (AlignedSeat("a", "a", "a", True),))
    label = np.linspace(0, 1, 9)
    score = score_participant(session, 0, label, label**2, np.ones(9, bool), metrics)
    write_scores([score], params, metrics, "run-0", tmp_path, simulated=False)
    keys = set(json.loads((tmp_path / "scores/run-0.json").read_text()))
    assert keys - {"own", "ccc_by_session"} == set(RESERVED) - {"also"}


def test_gender_and_age_are_taken_and_other_columns_are_kept_apart(folder):
    (folder / "manifest.csv").write_text(f"{HEADER},gender,duration_s\ns1,a,host,train,en,p1,a.mp4,,,female,99\n")
    (row,) = read_csv(folder, "manifest.csv", "own")
    assert (row.gender, row.age, row.duration_s, row.extra) == ("female", "", 0.0, {"duration_s": "99"})


ROWS = ['s1,a,host,test,en,p1,a.mp4,a.wav,"a.csv;a.eaf#x y"', "s2,b,guest,train,de,p2,b.mp4,,"]
SEMICOLONS = '{}\ns1;a;host;test;en;p1;a.mp4;a.wav;"a.csv;a.eaf#x y"\ns2;b;guest;train;de;p2;b.mp4;;\n'.format(
    HEADER.replace(",", ";")
)
FORMS = {
    "semicolons": SEMICOLONS.encode(),
    "tabs": "\n".join([HEADER, *ROWS]).replace(",", "\t").encode(),
    "UTF-16": SEMICOLONS.encode("utf-16"),
    "BOM": b"\xef\xbb\xbf" + "\n".join([HEADER, *ROWS]).encode(),
    "sep": b"sep=;\r\n" + SEMICOLONS.replace("\n", "\r\n").encode(),
    "empty rows and columns": "\n".join([f"{HEADER},,", *(f"{row},," for row in ROWS), "," * 10, ""]).encode(),
    "blanks": "\n".join([HEADER.replace(",", " , "), *ROWS]).encode(),
    "order": "\n".join(
        [
            "label,audio,video,person,language,split,role,participant,session",
            '"a.csv;a.eaf#x y",a.wav,a.mp4,p1,en,test,host,a,s1',
        ]
    ).encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_manifests_are_read_as_spreadsheets_write_them(folder, form):
    (folder / "a.eaf").write_text("x")
    (folder / "manifest.csv").write_bytes(FORMS[form])
    rows = read_csv(folder, "manifest.csv", "own")
    assert [row.name for row in rows] == ["own/s1/a", "own/s2/b"][: len(rows)]
    assert label_files(rows[0].label) == [(str(folder / "a.csv"), None), (str(folder / "a.eaf"), "x y")]


@pytest.mark.parametrize("head", ["sep=\n", "sep=\r\n", 'SEP="\n', "sep=", "sep=ab\n", "sep=\0\n"])
def test_a_line_about_the_separator_that_names_none_is_refused(folder, head):
    (folder / "manifest.csv").write_text(f"{head}{HEADER}\n")
    with pytest.raises(InputError, match=r"manifest.csv, line 1: .* write sep=; or remove"):
        read_csv(folder, "manifest.csv", "own")


@pytest.mark.parametrize("form", FORMS)
def test_rows_are_added_and_nothing_else_changes(folder, form):
    (folder / "a.eaf").write_text("x")
    path = folder / "manifest.csv"
    path.write_bytes(FORMS[form])
    before = read_rows(path)
    added = ManifestRow("s3", "c", "host", "val", "de", "p3", "=c.mp4", "", "")
    add_rows(path, [added], {"b.mp4": {"audio": "a.wav"}})
    after = read_rows(path)
    assert after[: len(before)] == [replace(row, audio="a.wav") if row.video == "b.mp4" else row for row in before]
    assert after[len(before) :] == [replace(added, video="./=c.mp4")]


def test_paths_of_windows_are_read(folder):
    (folder / "x").mkdir()
    (folder / "x/a.mp4").write_bytes(b"x")
    (row,) = write(folder, r"s1,a,host,train,en,p1,x\a.mp4,.\a.wav,a.csv;.\a.csv")
    assert (row.video, row.audio) == (str(folder / "x/a.mp4"), str(folder / "a.wav"))
    assert label_files(row.label) == [(str(folder / "a.csv"), None)] * 2
    (folder / "odd\\name.mp4").write_bytes(b"x")
    (row,) = write(folder, r"s1,a,host,train,en,p1,odd\name.mp4,,")
    assert row.video == str(folder / "odd\\name.mp4")
