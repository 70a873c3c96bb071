import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from damamba.console import InputError
from damamba.files import FileError
from damamba.streams.reader import read_stream
from damamba.streams.store import describe, write_stream
from damamba.streams.stream import FeatureStream


def stream(n=200, width=5, seed=0, key="k"):
    rng = np.random.default_rng(seed)
    valid = rng.random(n) > 0.2
    x = rng.standard_normal((n, width)).astype(np.float32)
    x[~valid] = np.nan
    return FeatureStream(
        t_s=np.cumsum(rng.uniform(0.01, 0.05, n)),
        x=x,
        valid=valid,
        score=valid.astype(np.float32),
        rate_hz=25.0,
        channels=tuple(f"c{i}" for i in range(width)),
        extractor="test",
        checkpoint="weights",
        revision="abc",
        key=key,
    )


@settings(max_examples=20, deadline=None)
@given(n=st.integers(0, 300), width=st.integers(1, 20), seed=st.integers(0, 9))
def test_what_is_written_is_read(tmp_path_factory, n, width, seed):
    path = tmp_path_factory.mktemp("s") / "a.parquet"
    wrote = stream(n, width, seed)
    write_stream(path, wrote)
    read = read_stream(path, "")
    for name in ("t_s", "x", "valid", "score"):
        np.testing.assert_array_equal(getattr(read, name), getattr(wrote, name))
    assert (read.channels, read.rate_hz, read.key, read.revision) == (wrote.channels, 25.0, "k", "abc")


def test_same_stream_same_bytes(tmp_path):
    for name in "ab":
        write_stream(tmp_path / f"{name}.parquet", stream())
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_a_flipped_byte_is_detected_and_the_message_has_the_remedy(tmp_path):
    path = tmp_path / "a.parquet"
    write_stream(path, stream(2000, 8))
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"damaged.*dvc repro -f extract@clip"):
        read_stream(path, "dvc repro -f extract@clip")


def test_a_file_that_is_not_a_stream_has_no_description(tmp_path):
    path = tmp_path / "a.parquet"
    assert describe(path) is None
    path.write_bytes(b"PAR1 nonsense")
    assert describe(path) is None
    with pytest.raises(InputError, match="damaged"):
        read_stream(path, "")


def test_a_stream_refuses_rows_that_are_valid_and_not_finite():
    good = stream()
    x = good.x.copy()
    x[np.flatnonzero(good.valid)[3], 0] = np.nan
    with pytest.raises(ValueError, match="valid and not finite"):
        FeatureStream(good.t_s, x, good.valid, good.score, 25.0, good.channels, "test")


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.parquet"
    write_stream(path, stream(key="old"))
    import pyarrow.parquet as pq

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(FileError, match=r"a\.parquet: cannot be written \(No space"):
        write_stream(path, stream(key="new"))
    assert describe(path)["key"] == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.parquet"]
