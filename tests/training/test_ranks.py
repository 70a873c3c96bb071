"""Two processes that train together do what one does."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest
import torch

from damamba.console import InputError
from damamba.data.shards import Aligned
from damamba.training import Ranks, fit
from damamba.training.resume import read_state
from tests.training.conftest import make_small
from tests.training.process import CASES, LeftError, classes, leave, result, start
from tests.training.test_classes import of_classes

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Shards, and a state that one process left; three seats to validate on, no multiple of two."""
    folder = tmp_path_factory.mktemp("ranks")
    aligned = make_small(folder / "continuous", sessions=5)
    *others, last = aligned.sessions
    last = replace(last, seats=(last.seats[0], replace(last.seats[1], labelled=False)))
    replace(aligned, sessions=(*others, last)).write()
    aligned = Aligned.read(aligned.root)
    shutil.copytree(aligned.root, folder / "ordinal")
    of_classes(Aligned.read(folder / "ordinal"), "ordinal")
    with pytest.raises(LeftError):
        fit(start(aligned, "cut"), folder / "left-by-one.pt", leave)
    return folder


@pytest.fixture(scope="module")
def ended(folder):
    """Both processes after their end; the second was killed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    base = os.environ | {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": "2",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "tests.training.process", str(folder)]
    both = [
        subprocess.Popen(
            command, env=base | {"RANK": str(rank), "LOCAL_RANK": str(rank)}, cwd=folder,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in range(2)
    ]  # fmt: skip
    texts = [process.communicate(timeout=300) for process in both]
    return [(process.returncode, *text) for process, text in zip(both, texts, strict=True)]


@pytest.fixture(scope="module")
def found(folder, ended):
    paths = [folder / f"found-{rank}.pt" for rank in range(2)]
    assert all(path.exists() for path in paths), ended
    return [torch.load(path) for path in paths]


def same(ours, expected, atol=1e-5):
    assert len(ours["history"]) == len(expected["history"])
    for row, other in zip(ours["history"], expected["history"], strict=True):
        assert row == pytest.approx(other, abs=atol), row["step"]
    assert ours["best"] == pytest.approx(expected["best"], abs=atol)


@pytest.mark.parametrize("name", CASES)
def test_two_processes_have_the_losses_validations_and_weights_of_one(folder, found, name):
    run = start(Aligned.read(folder / "continuous"), name)
    expected = result(run, fit(run, folder / "one.pt"))
    (folder / "one.pt").unlink(missing_ok=True)
    for each in found:
        same(each[name], expected)
        for key, weight in expected["weights"].items():
            torch.testing.assert_close(each[name]["weights"][key], weight, atol=1e-4, rtol=1e-3)


def test_classes_are_trained_alike(folder, found):
    run = classes(Aligned.read(folder / "ordinal"))
    expected = result(run, fit(run, folder / "one.pt"))
    (folder / "one.pt").unlink(missing_ok=True)
    for each in found:
        same(each["classes"], expected)


def test_every_seat_is_validated_once(folder, found):
    seats = start(Aligned.read(folder / "continuous"), "few").validation.seats
    assert len(seats) == 3
    both = sorted(chain.from_iterable(each["few"]["predicted"] for each in found))
    assert both == sorted((session.name, seat) for session, seat in seats)


def test_a_run_goes_on_with_another_number_of_processes(folder, found):
    assert read_state(folder / "left-by-two.pt")["step"] == 3
    run = start(Aligned.read(folder / "continuous"), "cut")
    one_after_two = result(run, fit(run, folder / "left-by-two.pt"))
    for each in (one_after_two, found[0]["resumed"], found[1]["resumed"]):
        same(each, found[0]["cut"])


def test_a_killed_process_ends_the_other_with_one_line_and_costs_no_saved_state(folder, found, ended):
    (code, out, err), (killed, *_) = ended
    assert (code, killed, out) == (1, -signal.SIGKILL, "")
    assert re.match(
        "train: error: process 1 of 2: another process has ended.*go on from the last state", err.splitlines()[-1]
    )
    assert "Traceback" not in err
    assert read_state(folder / "death.pt")["step"] == 3


def test_only_the_first_process_speaks(found, ended):
    assert ended[1][1:] == ("", "")


def test_an_incomplete_launch_is_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(InputError, match="WORLD_SIZE but no RANK: start several processes with torchrun"):
        Ranks.launched()
