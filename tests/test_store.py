"""A lab's store: features go to an S3 bucket, and another clone trains with them, without any media."""

import shutil

import pytest

from benchmarks.many_sessions import RECORDINGS, WIDTHS, write_project
from tests.dag import LANDMARKER, ROOT, call, repro, set_param

pytest.importorskip("dvc_s3")
BUCKET = "lab"


@pytest.fixture
def bucket(monkeypatch):
    """Address of a server of S3 on this machine with one empty bucket."""
    boto3, server = pytest.importorskip("boto3"), pytest.importorskip("moto.server")
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.setenv(f"AWS_{name}", "test")
        monkeypatch.setitem(call.__globals__["ENVIRONMENT"], f"AWS_{name}", "test")
    running = server.ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    address = f"http://{host}:{port}"
    boto3.client("s3", endpoint_url=address, region_name="us-east-1").create_bucket(Bucket=BUCKET)
    yield address
    running.stop()


@pytest.mark.slow
def test_another_clone_trains_from_the_bucket_without_media(bucket, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    write_project(first, 3, ROOT / LANDMARKER)
    repro(first, "align")
    call(first, "dvc", "remote", "add", "--default", "lab", f"s3://{BUCKET}/study")
    call(first, "dvc", "remote", "modify", "lab", "endpointurl", bucket)
    call(first, "git", "add", "-A")
    call(first, "git", "commit", "-qm", "features")
    call(first, "dvc", "push")
    call(tmp_path, "git", "clone", "-q", str(first), str(second))
    stages = ("check", *(f"extract@{cue}" for cue in WIDTHS), "align")
    call(second, "dvc", "pull", *stages)
    shutil.rmtree(first)  # nothing is left but what git and the bucket hold
    assert not list((second / RECORDINGS).glob("*/*"))
    assert len(list((second / "data/features").rglob("p*.parquet"))) == 3 * 2 * len(WIDTHS)
    set_param(second, "steps: 6", "steps: 4")
    assert repro(second, "--single-item", "train@da_mamba-0") == ["train@da_mamba-0"]
    assert (second / "data/models/da_mamba-0/model.safetensors").is_file()
