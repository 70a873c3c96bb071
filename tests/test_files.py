"""Files that are written whole, sealed, locked and set aside."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file, save

from damamba import files
from damamba.files import BLANK_SEAL, FileError, check_seal, only_one, prune, replace_file, unchanged, whole_file

ROOT = Path(__file__).parent.parent


def json_file(path):
    replace_file(path, f'{{"a": 1,\n "seal": "{BLANK_SEAL}"}}\n'.encode(), sealed=True)


def parquet_file(path):
    table = pa.table({"x": np.arange(500.0)}, metadata={"seal": BLANK_SEAL})
    with whole_file(path, sealed=True) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def arrow_file(path):
    table = pa.table({"x": np.arange(100.0)}, metadata={"seal": BLANK_SEAL})
    with (
        whole_file(path, sealed=True) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_file(sink, table.schema) as w,
    ):
        w.write_table(table)


def safetensors_file(path):
    replace_file(path, save({"x": np.arange(50.0)}, {"seal": BLANK_SEAL}), sealed=True)


WRITERS = {"a.json": json_file, "a.parquet": parquet_file, "a.arrow": arrow_file, "a.safetensors": safetensors_file}


@pytest.mark.parametrize("name", WRITERS)
def test_every_changed_byte_of_a_sealed_file_is_found(tmp_path, name):
    path = tmp_path / name
    WRITERS[name](path)
    whole = path.read_bytes()
    assert check_seal(path) in whole.decode("latin1")
    rng = np.random.default_rng(0)
    changes = [whole[:n] for n in rng.integers(0, len(whole), 10)]
    changes += [whole[:n] + bytes(min(16, len(whole) - n)) + whole[n + 16 :] for n in rng.integers(0, len(whole), 20)]
    changes += [
        whole[:n] + bytes([whole[n] ^ 1 << b]) + whole[n + 1 :] for n in range(0, len(whole), 5) for b in (0, 5)
    ]
    for changed in changes:
        if changed == whole:
            continue
        path.write_bytes(changed)
        with pytest.raises(ValueError, match=r"checksum|empty"):
            check_seal(path)


def test_a_sealed_file_is_still_one_of_its_format(tmp_path):
    for name, write in WRITERS.items():
        write(tmp_path / name)
    assert pq.read_table(tmp_path / "a.parquet")["x"].to_pylist()[7] == 7
    assert pa.ipc.open_file(tmp_path / "a.arrow").read_all()["x"].to_pylist()[7] == 7
    assert load_file(tmp_path / "a.safetensors")["x"][7] == 7


@pytest.mark.parametrize("name", WRITERS)
def test_the_same_content_has_the_same_bytes(tmp_path, name):
    WRITERS[name](tmp_path / "one" / name)
    WRITERS[name](tmp_path / "two" / name)
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_writer_without_a_seal_is_a_mistake(tmp_path):
    with pytest.raises(RuntimeError, match="no room"):
        replace_file(tmp_path / "a", b"text", sealed=True)
    assert not list(tmp_path.iterdir())


def test_a_disk_that_is_full_gives_one_line_with_file_and_size(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(FileError, match=r"a\.bin: cannot be written \(File too large, after 4096 bytes\)"):
            replace_file(path, bytes(10_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]


def test_an_error_of_another_file_keeps_its_name(tmp_path):
    def denied():
        raise PermissionError(errno.EACCES, "Permission denied", "/elsewhere/video.mp4")

    with pytest.raises(PermissionError, match=r"video\.mp4"), whole_file(tmp_path / "a"):
        denied()


HOLDER = """
import sys, time
from pathlib import Path
from damamba.files import only_one, whole_file

with only_one(Path("lock"), "stage"), whole_file(Path("out/p.parquet")) as temporary:
    temporary.write_text("half")
    print("ready", flush=True)
    time.sleep(60)
"""


def test_another_process_is_neither_disturbed_nor_waited_for(tmp_path, monkeypatch):
    """Its unfinished file stays while it lives, and so does its lock; both are free when it was killed."""
    monkeypatch.chdir(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER], env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    part = next(Path("out").iterdir())
    assert prune(Path("out"), set()) == []
    assert part.read_text() == "half"
    with (
        pytest.raises(FileError, match=f"stage: runs already in this folder, as process {process.pid}"),
        only_one(Path("lock"), "stage"),
    ):
        pass
    process.kill()
    process.wait()
    process.stdout.close()
    with only_one(Path("lock"), "stage"):
        prune(Path("out"), set())
    assert not list(Path("out").iterdir())


def test_many_removals_ask_for_permission(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shards = [Path("out") / f"{i}.parquet" for i in range(12)]
    for shard in shards:
        replace_file(shard, b"x")
    with pytest.raises(FileError, match=r"out: 12 of 12 files .*DAMAMBA_PRUNE=1 dvc repro"):
        prune(Path("out"), set(), aside=True)
    assert all(shard.is_file() for shard in shards)
    monkeypatch.setenv("DAMAMBA_PRUNE", "1")
    assert prune(Path("out"), set(), aside=True) == sorted(shards)
    assert not any(shard.is_file() for shard in shards)
    assert all(files.take_back(shard) for shard in shards)
    assert all(shard.read_bytes() == b"x" for shard in shards)


def test_what_is_set_aside_is_told_with_all_that_lies_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert files.told_aside([]) == ""
    replace_file(Path("state/pruned/out/earlier.parquet"), bytes(1_000_000))
    replace_file(Path("out/a.parquet"), bytes(500_000))
    told = files.told_aside(prune(Path("out"), set(), aside=True))
    assert told == "1 moved to state/pruned, which holds 1.5 MB and may be deleted"


@pytest.mark.parametrize("restore_time", [False, True])
def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, restore_time):
    path = tmp_path / "a.wav"
    path.write_bytes(b"whole")
    digest = files.sha256(path)
    with unchanged(path, digest, "ingest again"):
        path.touch()  # the same content at another time
    before = path.stat()

    def change():
        path.write_bytes(b"other")
        if restore_time:
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    with pytest.raises(FileError, match=r"a\.wav: changed"), unchanged(path, digest, "ingest again"):
        change()
    with pytest.raises(FileError, match=r"a\.wav: changed"), unchanged(path, digest, "ingest again"):
        pass
