"""Five people for long: what `benchmarks/long_sessions.py` measures at an hour, here at minutes."""

import runpy
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
LONG = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks/long_sessions.py"))


def test_alignment_takes_no_more_memory_for_a_longer_session(tmp_path):
    """An hour took 7 % more than five minutes: times and masks of the rows, which stay in memory."""
    peaks = []
    for minutes in (2, 12):
        folder = tmp_path / str(minutes)
        LONG["write_corpus"](folder, minutes, width=2, steps=1)
        LONG["add_stages"](folder)
        peaks.append(LONG["run_stage"](folder, ["stages/align.py"])["peak_mib"])
    assert peaks[1] < 1.2 * peaks[0]


def test_five_people_go_through_align_train_and_evaluate(tmp_path):
    measured = LONG["measure"](tmp_path, minutes=0.5, width=2, steps=2)
    assert list(measured["stages"]) == ["align", "train", "evaluate"]
    assert (tmp_path / "data/predictions/da_mamba-0/own/test/p4.parquet").is_file()
    assert (tmp_path / "results/scores/da_mamba-0.json").is_file()
