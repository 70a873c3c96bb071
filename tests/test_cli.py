import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from damamba.cli import PRESETS, write_presets
from damamba.config import Params
from damamba.console import InputError
from tests.conftest import FROZEN_PARAMS

ROOT = Path(__file__).parent.parent
NAMES = sorted(path.stem for path in PRESETS.glob("*.yaml"))


@pytest.fixture
def params(tmp_path):
    return Path(shutil.copy2(ROOT / "params.yaml", tmp_path))


@pytest.mark.parametrize("name", NAMES)
def test_every_preset_gives_valid_parameters(params, name):
    write_presets([name], params)
    assert Params.load(params)


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("compact", "demo")])
def test_demo_and_compact_undo_every_other_preset(params, name):
    write_presets([name], params)
    write_presets(["demo", "compact"], params)
    assert params.read_text() == FROZEN_PARAMS.read_text()


def test_a_preset_prints_what_it_changes_and_keeps_comments(params, capsys):
    write_presets(["smoke"], params)
    told = capsys.readouterr().out
    assert "preset: demo -> smoke" in told
    assert "train.steps" in told
    assert "# px" in params.read_text()
    write_presets(["smoke"], params)
    assert "already smoke" in capsys.readouterr().out
    write_presets(["paper"], params)
    assert "these are a fit, 28.83 M" in capsys.readouterr().out


def test_the_papers_training_is_the_papers(params):
    write_presets(["paper"], params)
    paper = Params.load(params)
    assert (paper.train.learning_rate, paper.train.batch_windows, paper.train.warmup_steps) == (5e-5, 128, 500)
    assert (paper.train.clip_norm, paper.train.ema_decay) == (5.0, 0.999)
    assert (paper.window.rate_hz, paper.window.core_frames, paper.window.context_frames) == (100, 32, 32)
    assert (paper.model.lambda_ccc, paper.model.lambda_align) == (1.0, 0.4)
    write_presets(["paper-25"], params)
    assert Params.load(params).window.rate_hz == 25


def test_a_preset_that_does_not_fit_writes_nothing(params):
    text = params.read_text().replace("core_frames: 32", "core_frames: 30")
    text = text.replace("  rate_hz: 25\n", "  rate_hz: 25\n  frames: 7\n", 1)
    params.write_text(text)
    with pytest.raises(InputError, match=r"window\.frames"):
        write_presets(["smoke"], params)
    assert params.read_text() == text


def test_the_command_says_what_it_can_do():
    done = subprocess.run(
        [sys.executable, "-c", "from damamba.cli import main; main()", "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "preset" in done.stdout
