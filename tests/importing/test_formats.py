"""Formats of other programs: what is recognised, values, masks, faces and refusals."""

import csv
import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from damamba import cli
from damamba.corpus.own_stream import open_own
from damamba.corpus.ssi import write_stream
from damamba.importing.clock import measure
from damamba.streams.reader import read_stream

OPENFACE = ["frame", "face_id", "timestamp", "confidence", "success", "gaze_0_x", "AU01_r", "AU01_c"]


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Import files of the folder raw/s01; what is printed, and the streams by participant and name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw/s01").mkdir(parents=True)

    def command(*arguments):
        monkeypatch.setattr("sys.argv", ["damamba", "import", *map(str, arguments), "--out", "data"])
        cli.main()
        streams = {path.name.removesuffix(".parquet"): read_stream(path, "") for path in tmp_path.glob("data/*/*")}
        return capsys.readouterr().out, streams

    return command


def write(path, names, rows, separator=","):
    path.write_text("\n".join(separator.join(map(str, row)) for row in [names, *rows]) + "\n")
    return path


def openface(path, n=60, faces=(0,), rate=30, separator=","):
    rng = np.random.default_rng(1)
    rows = []
    for k in range(n):
        for face in faces:
            seen = k % 10 != 3
            confidence = 0.2 if k % 10 == 5 else 0.98
            values = [f"{v:.3f}" for v in rng.normal(size=3)]
            rows.append([k + 1, face, f"{k / rate:.3f}", confidence, int(seen), *values])
    return write(path, OPENFACE, rows, separator)


def test_openface_2_equals_an_independent_reader_and_masks_what_was_not_detected(run, tmp_path):
    path = openface(tmp_path / "raw/s01/anna.csv", separator=", ")
    printed, streams = run(path)
    stream = streams["anna.openface2"]
    table = [[float(cell) for cell in row] for row in list(csv.reader(path.read_text().splitlines()))[1:]]
    expected = np.array([row[5:] for row in table]).astype(np.float32)
    good = np.array([row[4] == 1 and row[3] >= 0.5 for row in table])
    np.testing.assert_array_equal(stream.valid, good)
    np.testing.assert_array_equal(stream.x[good].view(np.int32), expected[good].view(np.int32))
    assert np.isnan(stream.x[~good]).all()
    np.testing.assert_array_equal(stream.t_s, [row[2] for row in table])
    assert (stream.channels, stream.rate_hz) == (("gaze_0_x", "AU01_r", "AU01_c"), 30.0)
    assert "OpenFace 2" in printed
    assert "80%" in printed
    assert "extractor: stream" in printed


def test_several_faces_are_refused_with_their_names_or_become_participants(run, tmp_path, capsys):
    path = openface(tmp_path / "raw/s01/room.csv", faces=(0, 3))
    with pytest.raises(SystemExit):
        run(path)
    assert "2 faces in it: 0 (60 rows), 3 (60 rows); take one with --face 0, or" in capsys.readouterr().err
    _, streams = run(path, "--face", "each")
    assert set(streams) == {"room-0.openface2", "room-3.openface2"}
    assert not np.array_equal(streams["room-0.openface2"].x, streams["room-3.openface2"].x, equal_nan=True)


def test_py_feat_has_frames_instead_of_times(run, tmp_path, capsys):
    names = ["", "FaceRectX", "FaceScore", "AU01", "happiness", "input", "frame", "approx_time"]
    rows = [[k, 10, "" if k == 7 else 0.99, "" if k == 7 else k, 0.5, "a.mp4", 2 * k, "00:00"] for k in range(20)]
    path = write(tmp_path / "raw/s01/anna.csv", names, rows)
    with pytest.raises(SystemExit):
        run(path)
    assert "it numbers the frames of a video: give that video's rate with --rate-hz" in capsys.readouterr().err
    _, streams = run(path, "--rate-hz", 25)
    stream = streams["anna.pyfeat"]
    assert stream.channels == ("FaceRectX", "AU01", "happiness")
    np.testing.assert_allclose(stream.t_s, np.arange(20) * 2 / 25)
    np.testing.assert_array_equal(np.flatnonzero(~stream.valid), [7])
    assert stream.rate_hz == 12.5


def test_opensmile_as_csv_arff_and_of_its_python_package(run, tmp_path):
    folder = tmp_path / "raw/s01"
    names = ["name", "frameTime", "F0semitoneFrom27.5Hz_sma3nz", "Loudness_sma3"]
    rows = [["'unknown'", f"{k * 0.01:.2f}", f"{k:e}", f"{k / 3:e}"] for k in range(30)]
    write(folder / "a.csv", names, rows, ";")
    head = ["@relation x", "", "@attribute name string", *(f"@attribute {n} numeric" for n in names[1:])]
    body = [*head, "@attribute class numeric", "", "@data", "", *(",".join([*row, "?"]) for row in rows)]
    (folder / "b.arff").write_text("\n".join(body) + "\n")
    deltas = [f"0 days 00:00:{k * 0.01:09.6f}" for k in range(31)]
    package = [["a.wav", deltas[k], deltas[k + 1], *rows[k][2:]] for k in range(30)]
    write(folder / "c.csv", ["file", "start", "end", *names[2:]], package)
    _, streams = run(*sorted(folder.iterdir()))
    assert set(streams) == {"a.egemaps", "b.egemaps", "c.egemaps"}
    expected = np.array([[float(row[2]), float(row[3])] for row in rows]).astype(np.float32)
    for name, shift in (("a", 0), ("b", 0), ("c", 0.005)):
        np.testing.assert_array_equal(streams[f"{name}.egemaps"].x, expected)
        np.testing.assert_allclose(streams[f"{name}.egemaps"].t_s, np.arange(30) * 0.01 + shift, atol=1e-9)
        assert streams[f"{name}.egemaps"].rate_hz == pytest.approx(100)


def test_mediapipe_frames_without_a_face_are_not_valid(run, tmp_path):
    shapes = [{"category_name": "jawOpen", "score": 0.25}, {"category_name": "browDown", "score": 0.5}]
    frames = [{"timestamp_ms": 40 * k, "face_blendshapes": [] if k == 4 else [shapes]} for k in range(10)]
    (tmp_path / "raw/s01/anna.json").write_text(json.dumps(frames))
    spelt = {"categories": [{"categoryName": "jawOpen", "score": 0.25}]}
    lines = [json.dumps({"timestamp": k / 25, "faceBlendshapes": [spelt]}) for k in range(10)]
    (tmp_path / "raw/s01/ben.jsonl").write_text("\n".join(lines))
    _, streams = run(*sorted((tmp_path / "raw/s01").iterdir()))
    anna = streams["anna.mediapipe"]
    assert anna.channels == ("jawOpen", "browDown")
    np.testing.assert_array_equal(np.flatnonzero(~anna.valid), [4])
    assert (anna.rate_hz, streams["ben.mediapipe"].rate_hz) == (25.0, 25.0)


def test_numpy_parquet_and_ssi(run, tmp_path):
    folder, x = tmp_path / "raw/s01", np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    np.savez(folder / "a.array.npz", x=x, t_s=np.arange(40) / 8 + 2, channels=np.array(["u", "v", "w"]))
    np.save(folder / "b.plain.npy", x)
    pq.write_table(pa.table({"time_ms": np.arange(40) * 125, "u": x[:, 0]}), folder / "c.pq.parquet")
    write_stream(folder / "d.ssi.stream", x, 8.0, chunks=[(1.0, 10), (9.0, 30)])
    _, streams = run(folder / "a.array.npz", folder / "c.pq.parquet", folder / "d.ssi.stream")
    np.testing.assert_array_equal(streams["a.array"].t_s, np.arange(40) / 8 + 2)
    assert streams["a.array"].channels == ("u", "v", "w")
    np.testing.assert_array_equal(streams["c.pq"].t_s, np.arange(40) / 8)
    np.testing.assert_array_equal(streams["d.ssi"].t_s, [*(1 + np.arange(10) / 8), *(9 + np.arange(30) / 8)])
    np.testing.assert_array_equal(streams["d.ssi"].x, x)
    _, streams = run(folder / "b.plain.npy", "--rate-hz", 8, "--start-s", 3)
    np.testing.assert_array_equal(streams["b.plain"].t_s, np.arange(40) / 8 + 3)


def test_openface_3_by_its_gaze(run, tmp_path):
    rows = [[k, f"{k / 25}", 0.9, "Happy", 0.1, 0.2, k] for k in range(20)]
    names = ["frame", "timestamp", "face_confidence", "emotion", "gaze_yaw", "gaze_pitch", "AU1"]
    _, streams = run(write(tmp_path / "raw/s01/anna.csv", names, rows))
    assert streams["anna.openface3"].channels == ("gaze_yaw", "gaze_pitch", "AU1")


def test_a_pattern_says_whose_file_it_is(run, tmp_path):
    (tmp_path / "raw/voice").mkdir()
    path = write(tmp_path / "raw/voice/s07_ben_v2.csv", ["t", "u"], [[k / 10, k] for k in range(9)])
    run(path, "--as", "{stream}/{session}_{participant}_*.csv")
    assert (tmp_path / "data/s07/ben.voice.parquet").is_file()


GOOD = [[k / 10, k, k] for k in range(20)]
BAD = {
    "no time": (["u", "v"], [[k, k] for k in range(9)], "no column of times.*give their rate with --rate-hz"),
    "backwards": (["time", "u"], [[0.1, 0], [0.2, 0], [0.15, 0]], r"line 4: times run backwards: 0\.15 s after 0\.2 s"),
    "same time": (["time", "u"], [[0.1, 0], [0.1 + 1e-9, 0]], r"line 3: two rows have one time: 0\.1 s after 0\.1 s"),
    "huge time": (["time", "u"], [[0.1, 0], [1e300, 0]], r"line 3: its time is 1e\+300 s; correct it"),
    "twice": (["time", "u", "u"], GOOD, "two columns called 'u'"),
    "word": (["time", "u", "v"], [*GOOD[:5], [0.5, "high", 1], *GOOD[6:]], "line 7, column 'u': 'high' is no number"),
    "cut off": (
        ["time", "u", "v"],
        [*GOOD, [2.0, 1]],
        "line 22: 2 cells for 3 columns; the file is cut off in mid-row",
    ),
    "no rows": (["time", "u"], [], "no rows in it"),
    "ms": (["time", "u"], [[k * 100, k] for k in range(9)], "look like ms; give their unit: --time-unit ms"),
    "one row": (["time", "u"], [[0, 1]], "1 row in it"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_tables_are_refused_with_one_line_that_names_the_place(run, tmp_path, capsys, case):
    names, rows, expected = BAD[case]
    path = write(tmp_path / "raw/s01/anna.face.csv", names, rows)
    with pytest.raises(SystemExit):
        run(path)
    (line, *_) = [line for line in capsys.readouterr().err.splitlines() if "anna.face.csv" in line]
    assert re.search(expected, line), line
    assert not list(tmp_path.glob("data/*/*"))


def test_an_empty_file_an_unknown_one_and_damaged_ones_are_refused(run, tmp_path, capsys):
    folder = tmp_path / "raw/s01"
    (folder / "a.x.csv").write_text("")
    (folder / "b.x.json").write_text('[{"timestamp": 1, "face_bl')
    (folder / "c.x.parquet").write_bytes(b"PAR1 and no more")
    (folder / "d.x.npy").write_bytes(b"\x93NUMPY")
    (folder / "e.x.docx").write_text("x")
    (folder / "g.x.json").write_text('[{"t": 1, "face_blendshapes": [{"index": 0, "score": 0}]}, {"t": 1e999}]')
    with pytest.raises(SystemExit):
        run(*sorted(folder.iterdir()), folder / "f.csv")
    told = capsys.readouterr().err
    for part in (
        "a.x.csv: empty",
        "not JSON",
        "not Parquet",
        "not NumPy's format",
        ".docx is not read",
        "g.x.json, row 1: its time is inf s",
        "no such file",
    ):
        assert part in told


def test_streams_that_end_at_different_times_are_refused_unless_the_length_is_stated(run, tmp_path, capsys):
    folder = tmp_path / "raw/s01"
    a = write(folder / "anna.face.csv", ["time", "u"], [[k / 10, k] for k in range(200)])
    b = write(folder / "anna.voice.csv", ["time", "u"], [[k / 5, k] for k in range(50)])
    with pytest.raises(SystemExit):
        run(a, b)
    assert "ends at 10.00 s, but data/s01/anna.face.parquet at 20.00 s" in capsys.readouterr().err
    _, streams = run(a, b, "--length-s", 20)
    assert not streams["anna.voice"].valid[-1]
    with open_own(tmp_path / "data/s01/anna.voice.parquet") as stream:
        assert stream.end_s == 20.0


def clock(t_s):
    measured = measure(t_s)
    assert measured is not None
    return measured


def test_the_rate_is_measured_from_times():
    stamped = clock(np.round(np.arange(300) / 30, 3))
    assert (stamped.mean_hz, stamped.regular, stamped.gaps) == (30.0, True, 0)
    gap = clock(np.delete(np.arange(100.0), slice(40, 60)))
    assert (gap.gaps, gap.gap_s, gap.nominal_hz) == (1, 21.0, 1.0)
    t_s = np.cumsum(np.random.default_rng(0).uniform(0.5, 1.1, 200))
    beats = clock(t_s)
    assert not beats.regular
    assert 1 / beats.nominal_hz == pytest.approx(np.diff(t_s).max())
