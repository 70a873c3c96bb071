"""Parameters, media and the finished pipeline of the tests, and one seed for everything."""

import copy
import fcntl
import shutil
import wave
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
import yaml

from damamba.config import Params
from tests.dag import call, copy_repository, damamba, elsewhere, linked_copy, repro, set_param

TICKS_HZ = 90_000
FROZEN_PARAMS = Path(__file__).with_name("params.yaml")
"""The default parameters; tests read them instead of ../params.yaml, which users change."""


torch.set_num_threads(1)  # small products are slower on two threads, and tests share the machine


def pytest_collection_modifyitems(items):
    """Files with the most slow tests come first: no core waits for them in the end.

    A process takes the first file and the third, or the second and the fourth. What is made in `test_dag` is there when
    the fourth needs it.
    """
    slow = Counter(item.path.stem for item in items if item.get_closest_marker("slow"))
    first = ["test_dag", "test_official_dag", "test_resume", "test_dag_faults"]
    order = [*first, *(name for name, _ in slow.most_common() if name not in first)]
    items.sort(key=lambda item: order.index(item.path.stem) if item.path.stem in order else len(order))


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A repository in which the pipeline has run once, as in another place: the tests compare what is made here.

    All processes of pytest share it; the first that comes makes it.
    """
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if base.name.startswith("popen-") else base) / "dag"
    shared.mkdir(exist_ok=True)
    folder, done = shared / "repo", shared / "done"
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            _run_smoke(folder, elsewhere(tmp_path_factory.mktemp("elsewhere") / "locales"))
            done.touch()
    return folder


def _run_smoke(folder, environment):
    copy_repository(folder)
    damamba(folder, "preset", "smoke")
    set_param(folder, "jobs: 0", "jobs: 1")  # there is less to do than workers take to start
    set_param(folder, "frames: [32, 64]", "frames: [32]")
    set_param(folder, "long_frames: [128]", "long_frames: []")
    repro(folder, environment=environment)
    changed = {line[3:].split("/")[0] for line in call(folder, "git", "status", "--porcelain").stdout.splitlines()}
    assert changed == {"params.yaml", "dvc.lock", "results"}  # nothing else that git should not see
    call(folder, "git", "add", "-A")
    call(folder, "git", "commit", "-qm", "smoke")


@pytest.fixture
def repo(finished, tmp_path):
    """A copy of the finished pipeline of its own."""
    own = ("params.yaml", "dvc.lock", "results", ".git", ".dvc/tmp", "damamba", "stages")
    return linked_copy(finished, tmp_path / "repo", own)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)
    np.random.default_rng(0)


@cache
def _read_params() -> tuple[Params, dict[str, Any]]:
    return Params.load(FROZEN_PARAMS), yaml.safe_load(FROZEN_PARAMS.read_text())  # takes longer than most tests


def frozen_params() -> Params:
    """The default parameters, whatever stands in ../params.yaml; a copy of one's own."""
    return _read_params()[0].model_copy(deep=True)


def frozen_values() -> dict[str, Any]:
    """The same as in YAML, to be changed."""
    return copy.deepcopy(_read_params()[1])


def serially(function, tasks):
    """What stages leave to their executor."""
    return [function(task) for task in tasks]


def make_video(
    path: Path,
    t_s: Sequence[float],
    brightness: Sequence[float] | None = None,
    size=(64, 48),
    codec="libx264",
    **options,
) -> Path:
    """A grey video whose frames stand at `t_s`; `brightness` in [0, 1] a frame, `options` of the codec."""
    levels = brightness if brightness is not None else np.linspace(0.2, 0.8, len(t_s))
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(TICKS_HZ), options={"crf": "10", "bf": "0", **options})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS_HZ)
        for t, level in zip(t_s, levels, strict=True):
            frame = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), int(level * 255), np.uint8))
            frame.pts, frame.time_base = round(t * TICKS_HZ), Fraction(1, TICKS_HZ)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def make_wav(path: Path, samples: np.ndarray, rate_hz: int = 16_000) -> Path:
    """16-bit PCM; (n,) or (n, channels) in [-1, 1]."""
    samples = samples[:, None] if samples.ndim == 1 else samples
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def tone(seconds: float, rate_hz: int = 16_000, pitch_hz: float = 220.0) -> np.ndarray:
    """A quiet sine."""
    return 0.3 * np.sin(2 * np.pi * pitch_hz * np.arange(round(seconds * rate_hz)) / rate_hz)
