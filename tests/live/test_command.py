"""`damamba stream` from the command line."""

import json
import sys

import pytest

from damamba import cli
from damamba.predictor import SHIPPED


def stream(monkeypatch, capsys, *arguments):
    """(exit code, standard output, standard error)."""
    monkeypatch.setattr(sys, "argv", ["damamba", "stream", *map(str, arguments)])
    code = 0
    try:
        cli.main()
    except SystemExit as ended:
        code = ended.code
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone.mp4", "--model", SHIPPED], "gone.mp4: no such file"),
        (["camera:nowhere", "--model", SHIPPED], "camera:nowhere: cannot be opened"),
        (["camera:0", "--model", SHIPPED, "--pace", "fast"], "camera:0: a device has its own pace"),
    ],
)
def test_what_cannot_be_streamed_is_refused_on_one_line(monkeypatch, capsys, arguments, message):
    code, out, err = stream(monkeypatch, capsys, *arguments)
    assert code == 1
    assert out == ""
    assert err.startswith(f"damamba: error: {message}")
    assert err.count("\n") == 1


@pytest.mark.slow
def test_a_model_that_looks_ahead_is_refused(monkeypatch, capsys, videos):
    code, _, err = stream(monkeypatch, capsys, *videos, "--model", SHIPPED, "--no-page")
    assert code == 1
    assert "looks ahead, so it cannot run live; train a causal one: damamba preset causal" in err


@pytest.mark.slow
def test_a_line_for_each_frame_and_person_and_partners_are_not_predicted(monkeypatch, capsys, videos, predicted):
    model, offline = predicted
    target, partner = videos
    options = ["--partner", partner, "--model", model, "--pace", "fast", "--jsonl", "-"]
    code, out, err = stream(monkeypatch, capsys, target, *options)
    assert code == 0
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["time_s"] for line in lines] == [k / 25 for k in range(125)]
    assert {line["person"] for line in lines} == {"expert"}
    assert all(line["delay_s"] is None for line in lines)
    wanted = offline.participants[0]
    for k, line in enumerate(lines):
        seen = [cue for cue, mask in wanted.cues.items() if mask[k]]
        assert line["observed"] == seen
        assert (line["engagement"] is None) == (not seen)
        assert not seen or line["engagement"] == pytest.approx(float(wanted.engagement[k]), abs=2e-4)
    first, *_, last = err.splitlines()
    assert "delay: 0.50 s" in first
    assert "dropped: 0 scores, 0 pictures" in err
    assert last.startswith("novice: 125 pictures")
