"""A file that hangs, kills or eats memory costs itself and nothing else."""

import os
import subprocess
import sys
import time

import pytest

from damamba.console import InputError
from damamba.media.guarded import allowance_s, guarded
from damamba.media.probe import probe_video
from tests.conftest import make_video
from tests.media.readers import die, eat, fail, hang, which


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return make_video(tmp_path_factory.mktemp("guarded") / "v.mp4", [0, 0.04, 0.08])


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (hang, InputError, r"v\.mp4: reading it took longer than 1 s"),
        (die, InputError, r"v\.mp4: the process that read it was killed by SIGSEGV"),
        (eat, InputError, r"v\.mp4: reading it took more than 4 GiB of memory"),
        (fail, RuntimeError, "a fault of ours"),
    ],
)
def test_what_becomes_of_a_reader_and_the_next_file_is_read(video, function, error, message):
    with pytest.raises(error, match=message):
        guarded(function, video, limit_s=1)
    assert guarded(probe_video, video).n_frames == 3


def test_one_process_reads_many_files_and_refusals_come_through(video, tmp_path):
    assert guarded(which, video) == guarded(which, video) != os.getpid()
    with pytest.raises(InputError, match=r"w\.mp4: no such file"):
        guarded(probe_video, tmp_path / "w.mp4")
    assert guarded(probe_video, video) == probe_video(video)


def test_the_limit_grows_with_the_file(video, tmp_path):
    large = tmp_path / "large.mp4"
    with large.open("wb") as file:
        file.truncate(10**9)
    assert allowance_s(large) == pytest.approx(allowance_s(video) + 1000, rel=0.01)


PROGRAM = """
import os, sys
from pathlib import Path
from damamba.media.guarded import guarded
from tests.media.readers import hang, which
print(guarded(which, Path(sys.argv[1])), flush=True)
guarded(hang, Path(sys.argv[1]))
"""


def test_the_process_ends_with_a_parent_that_is_killed(video):
    parent = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(video)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(50):
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("the process goes on")
