"""Annotations as text, and their counts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from damamba.console import InputError
from damamba.corpus.agreement import fitted
from damamba.corpus.annotation_csv import read_values
from damamba.corpus.annotations import Annotation, read_annotation


@pytest.mark.parametrize(
    "content",
    [
        "0;1;0.5\n1;2.5;0.75\n",
        "\ufeff0;1;0.5\r\n1;2.5;0.75\r\n",
        "start;end;value\n0;1;0.5\n\n1;2.5;0.75\n",
        "value,start,end\n0.5,0,1\n0.75,1,2.5",
        "0\t1\t0.5\t1\n1\t2.5\t0.75\t1\n",
        "0;1;0,5\n1;2,5;0,75\n",
    ],
)
def test_columns_are_read_as_people_write_them(tmp_path, content):
    path = tmp_path / "a.csv"
    path.write_text(content, newline="")
    read = read_annotation(path)
    assert read.start_s.tolist() == [0, 1]
    assert read.end_s.tolist() == [1, 2.5]
    assert read.value.tolist() == [0.5, 0.75]


@pytest.mark.parametrize(
    "content",
    [
        b"0.5\n0.75\n\n1\n",
        b"0,5\n0,75\n\n1\n",
        b"0,5\r\n0,75\r\n#N/A\r\n1,0\r\n",
        b"\xef\xbb\xbf0.5\n0.75\nNA\n1\n",
        "0.5\n0.75\nnan\n1\n".encode("utf-16"),
        b"0.5\r0.75\rnull\r1\r",
        b'"value"\n"0.5"\n"0.75"\n"None"\n"1"\n',
        b"sep=;\nvalue\n0,5\n0,75\n-nan(ind)\n1\n",
        b",0\n0,0.5\n1,0.75\n2,\n3,1\n",
        b'"","x"\n"1",0.5\n"2",0.75\n"3",NA\n"4",1\n',
        b"frame;engagement;confidence\n0;0,5;1\n1;0,75;1\n2;-1.#IND00;0\n3;1;1\n",
        b"0.5;\n0.75;\n;\n1;\n",
    ],
)
def test_one_value_a_line_is_read_as_spreadsheets_and_languages_write_it(tmp_path, content):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    read = read_annotation(path)
    assert read.series
    assert read.value[[0, 1, 3]].tolist() == [0.5, 0.75, 1]
    assert read.valid.tolist() == [True, True, False, True]
    np.testing.assert_allclose(read_values(path).value, read.value)


@pytest.mark.parametrize(
    ("content", "start_s", "end_s"),
    [
        ("time,value\n0.0,0.5\n0.04,0.6\n", [0, 0.04], [0.04, 0.08]),
        ("start_ms;end_ms;value\n0;1000;0.5\n1000;2500;0.6\n", [0, 1], [1, 2.5]),
        ("Begin Time - ms\tEnd Time - ms\trating\n0\t1000\t0,5\n1000\t2500\t0,6\n", [0, 1], [1, 2.5]),
        ("timestamp (s),arousal\n1,0.5\n2,0.6\n", [1, 2], [2, 3]),
    ],
)
def test_columns_have_the_names_and_units_that_tools_give_them(tmp_path, content, start_s, end_s):
    path = tmp_path / "a.csv"
    path.write_text(content)
    read = read_annotation(path)
    np.testing.assert_allclose(read.start_s, start_s)
    np.testing.assert_allclose(read.end_s, end_s)
    np.testing.assert_allclose(read.value, [0.5, 0.6])


def test_novas_export_of_a_continuous_annotation_is_read(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("start;value;confidence\n0;0.1;1\n0.04;0.2;1\n0.08;NaN;1\n")
    read = read_annotation(path)
    np.testing.assert_allclose(read.end_s, [0.04, 0.08, 0.12])
    assert read.valid.tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("0;1;0.5\n0.5;2;0.5\n", "line 2: begins at 0.5 s, before the one in front of it ends at 1 s"),
        ("0;1;0.5\n1;x;0.5\n", "line 2: '1;x;0.5' is not start;end;value"),
        ("0;1;0.5\n1;2\n", "line 2"),
        ("start;end;value\n1;0;0.5\n", "line 2: from 1 to 0 s"),
        ("0;1;0.5\n1;1e9;0.5\n", "line 2: from 1 to 1e[+]09 s"),
        ("0;1;0.5\n1;2;5\n", r"line 2: 5 lies outside \[0, 1\]; rescale: damamba convert"),
        ("0,0.5\n1,0.7\n", "two columns without names.*write a first line time;value or index;value"),
        ("0,5\n1,0\n", "two columns without names"),
        ("index,value\n0,0.5\n2,0.5\n", "line 3: row number '2' where 1 is next"),
        ("frame\n0.5\n", "line 1: the columns 'frame' are not all known"),
        ("value,label\n0.5,0.5\n", "line 1: the columns 'value;label' are not all known"),
        ("start;end_ms;value\n0;40;0.5\n", "times in s and in ms"),
        ("start_s;end_ms;value\n0;40;0.5\n", "times in s and in ms"),
        ("O.5\n0.5\n", "line 1: 'O.5' is not a number"),
        ("0_5\n0.5\n", "line 1: '0_5' is not a number"),
        ("end;value\n1;0.5\n", "expected one value a line, or start;end;value"),
        ("0.5\nx\n", "line 2: 'x' is not a number"),
        ("0.5\n" + "1" * 10_000, "line 2"),
        ("", "no values in it"),
        ("start;end;value\n", "no values in it"),
    ],
)
def test_other_csv_is_refused_with_its_line(tmp_path, content, expected):
    path = tmp_path / "a.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=f"a.csv.*{expected}"):
        read_annotation(path)


def test_one_value_a_line_may_have_another_rate_and_range(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("-1\n\n1\n0\n")
    read = read_annotation(path, rate_hz=2, value_range=(-1, 1))
    assert read.start_s.tolist() == [0, 0.5, 1, 1.5]
    assert read.value[[0, 2, 3]].tolist() == [0, 1, 0.5]
    assert read.valid.tolist() == [True, False, True, True]


def fitted_to(tmp_path, text, end_s, n_frames=0, slack_s=0.5):
    path = tmp_path / "a.csv"
    path.write_text(text)
    return fitted("a.csv", read_annotation(path, value_range=(0, 1)), end_s, slack_s, n_frames)


@pytest.mark.parametrize("end_s", [10.0, 600.0])
def test_milliseconds_are_named_where_they_were_taken_for_seconds(tmp_path, end_s):
    text = "".join(f"{1000 * k};{1000 * (k + 1)};0.5\n" for k in range(round(end_s) if end_s < 60 else 80))
    if end_s < 60:
        with pytest.raises(InputError, match="its times look like ms: name the columns start_ms;end_ms;value"):
            fitted_to(tmp_path, text, end_s)
    named, notes = fitted_to(tmp_path, "start_ms;end_ms;value\n" + text, end_s)
    assert named.end_s[-1] == min(end_s, 80)
    assert bool(notes) == (end_s > 60)
    _, notes = fitted_to(tmp_path, "0;40;0.5\n40;80;0.5\n", 600)
    assert notes == ["a.csv: annotated up to 80.00 s of 600.00 s; are its times in s?"]


@given(st.floats(5, 4000), st.sampled_from([24, 24000 / 1001, 25, 30000 / 1001, 50]), st.integers(-14, 14))
def test_every_count_that_is_off_is_noted_or_refused(end_s, rate_hz, extra):
    expected = round(end_s * 25)
    count = expected + extra
    edges_s = np.arange(count + 1) / 25
    annotation = Annotation(edges_s[:-1], edges_s[1:], np.full(count, 0.5, np.float32), series=True, lines=True)
    n_frames = round(end_s * rate_hz)
    try:
        _, notes = fitted("a.csv", annotation, end_s, 0.5, n_frames)
    except InputError:
        assert abs(extra) > 1
    else:
        assert bool(notes) == (count != expected)


def test_a_first_line_of_0_is_a_value_where_the_count_fits(tmp_path):
    read, notes = fitted_to(tmp_path, "0\n" + "0.5\n" * 49, 2.0)
    assert (len(read), notes) == (50, [])
    read, notes = fitted_to(tmp_path, "0\n0\n" + "0.5\n" * 49, 2.0)  # a series that begins with zeros
    assert len(read) == 51
    assert "51 lines, where 50 are expected" in notes[0]
