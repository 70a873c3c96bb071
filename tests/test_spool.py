import numpy as np
import pytest

from damamba.spool import RowsOnDisk, SpooledRows
from damamba.streams.reader import read_stream
from damamba.streams.store import write_stream
from damamba.streams.stream import FeatureStream


@pytest.mark.parametrize("width", [None, 3])
def test_rows_on_the_disk_read_like_those_in_memory(monkeypatch, width):
    shape = () if width is None else (width,)
    rows = np.random.default_rng(0).normal(size=(1000, *shape)).astype(np.float32)
    found = []
    for most in (1 << 20, 500):
        monkeypatch.setattr("damamba.spool.MOST_BYTES", most)
        spool = SpooledRows(width)
        for first in range(0, 1000, 70):
            spool.append(rows[first : first + 70])
        found.append(spool.rows())
    in_memory, on_disk = found
    assert isinstance(in_memory, np.ndarray)
    assert isinstance(on_disk, RowsOnDisk)
    assert on_disk.shape == rows.shape
    np.testing.assert_array_equal(in_memory, rows)
    np.testing.assert_array_equal(np.asarray(on_disk), rows)
    np.testing.assert_array_equal(on_disk[333:777], rows[333:777])
    np.testing.assert_array_equal(on_disk[rows.reshape(1000, -1)[:, 0] > 0], rows[rows.reshape(1000, -1)[:, 0] > 0])
    np.testing.assert_array_equal(on_disk.first(10), rows[:10])


def test_a_stream_of_rows_on_the_disk_has_the_same_bytes(tmp_path, monkeypatch):
    rows = np.random.default_rng(0).normal(size=(7000, 4)).astype(np.float32)
    valid = np.arange(7000) % 3 > 0
    written = []
    for most in (1 << 30, 1000):
        monkeypatch.setattr("damamba.spool.MOST_BYTES", most)
        spool = SpooledRows(4)
        spool.place(np.flatnonzero(valid).tolist(), rows[valid])
        spool.pad(7000)
        stream = FeatureStream(
            np.arange(7000) / 25, spool.rows(), valid, valid.astype("f4"), 25.0, tuple("abcd"), "test"
        )
        write_stream(tmp_path / "s.parquet", stream)
        written.append((tmp_path / "s.parquet").read_bytes())
    assert written[0] == written[1]
    np.testing.assert_array_equal(read_stream(tmp_path / "s.parquet", "").x[valid], rows[valid])


def test_blank_rows_and_rows_of_another_width():
    spool = SpooledRows(2)
    spool.append(np.ones((5, 2), np.float32))
    spool.blank()
    assert np.isnan(spool.rows()).all()
    assert spool.rows().shape == (5, 2)
    with pytest.raises(ValueError, match=r"rows have shape \(1, 3\)"):
        spool.append(np.ones((1, 3), np.float32))
