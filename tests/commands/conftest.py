"""Recordings as people have them."""

import shutil

import numpy as np
import pytest

from tests.commands.challenge import DYADS, GROUP, NAMES_2024, NAMES_2026, write
from tests.commands.recordings import SECONDS
from tests.conftest import make_video, make_wav, tone


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    folder = tmp_path_factory.mktemp("media")
    make_wav(folder / "a.wav", tone(SECONDS))
    return make_video(folder / "v.mp4", np.arange(SECONDS * 25) / 25), folder / "a.wav"


@pytest.fixture
def place(tmp_path, media, monkeypatch):
    """Put recordings into a directory, by their paths; with sound and, unless switched off, labels."""
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "recordings"

    def put(*names, labels=True):
        for name in names:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(media[0], path)
            shutil.copy(media[1], path.with_suffix(".wav"))
            if labels:
                path.with_suffix(".csv").write_text("0.4\n0.5\n" * SECONDS * 12 + "nan\n0.5\n")
        return root

    return put


@pytest.fixture
def release(tmp_path):
    """Labels as released, predictions for all of them in both generations of names, and the series behind them."""
    rng = np.random.default_rng(0)
    series = {}
    for k, (folder, session, role) in enumerate(DYADS + GROUP):
        target = np.round(np.clip(0.5 + np.cumsum(rng.normal(0, 0.02, 300 + k)), 0, 1), 6)
        pred = np.round(np.clip(0.2 + 0.6 * target + rng.normal(0, 0.05, len(target)), 0, 1), 6)
        target[40:60] = np.nan
        series[session, role] = (pred, target)
        write(tmp_path / "labels" / folder / session / f"{role}.engagement.annotation.csv", target, "-nan(ind)")
        (tmp_path / "labels" / folder / session / f"{role}.gender.annotation.csv").write_text(f"0;9;{1 + k % 2};1\n")
        write(tmp_path / "p26" / NAMES_2026[k >= 3].format(session, role), pred)
        write(tmp_path / "p24" / NAMES_2024[k >= 3].format(session, role), pred)
    for session, language in (("002", "English"), ("006", "French")):
        (tmp_path / "labels/noxi/test-base" / session / "language.annotation.csv").write_text(f"0;9;{language};1\n")
    return tmp_path, series
