import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from damamba.console import InputError
from damamba.corpus.annotation_csv import read_labels
from damamba.corpus.labels import write_values


def test_invalid_tokens_are_masked_and_never_zero(tmp_path):
    path = tmp_path / "l.csv"
    path.write_bytes(b"0.5\n\nnan\n-nan(ind)\nNaN\n 0.25 \r\n1\n")
    labels = read_labels(path)
    assert labels.valid.tolist() == [True, False, False, False, False, True, True]
    assert labels.value[labels.valid].tolist() == [0.5, 0.25, 1.0]
    assert np.isnan(labels.value[~labels.valid]).all()


@pytest.mark.parametrize(
    ("line", "expected"), [("abc", "line 2.*'abc'"), ("1.2", "line 2.*outside"), ("-0.1", "outside")]
)
def test_other_lines_are_refused_with_file_and_line(tmp_path, line, expected):
    path = tmp_path / "l.csv"
    path.write_text(f"0.5\n{line}\n0.5\n")
    with pytest.raises(InputError, match=expected):
        read_labels(path)


def test_latin_1_files_are_read(tmp_path):
    path = tmp_path / "l.csv"
    path.write_bytes(b"0.5\nnan\xa0\n")
    assert read_labels(path).valid.tolist() == [True, False]


@given(st.lists(st.one_of(st.floats(0, 1), st.just(float("nan"))), min_size=1, max_size=50))
def test_written_values_are_read_back(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("l") / "l.csv"
    write_values(path, np.array(values))
    read = read_labels(path)
    np.testing.assert_allclose(read.value, values, atol=5e-7)


def test_a_longer_series_has_invalid_frames_at_its_end(tmp_path):
    path = tmp_path / "l.csv"
    path.write_text("0.5\n0.6\n")
    labels = read_labels(path).resized(4)
    assert labels.valid.tolist() == [True, True, False, False]
    assert read_labels(path).resized(1).value.tolist() == [0.5]
