import argparse
import re
import shlex
import subprocess
import sys

import pytest

from damamba import cli
from tests.conftest import FROZEN_PARAMS


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["damamba", *arguments])
    cli.main()


def test_a_preset_prints_its_changes_and_keeps_comments(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    params = tmp_path / "params.yaml"
    params.write_text(FROZEN_PARAMS.read_text())
    run(monkeypatch, "preset", "smoke")
    text = capsys.readouterr().out
    assert "preset: demo -> smoke" in text
    assert "train.steps" in text
    assert "# px" in params.read_text()
    run(monkeypatch, "preset", "smoke")
    assert "already smoke" in capsys.readouterr().out
    run(monkeypatch, "preset", "paper")
    assert "28.83 M at the widths of the upstream encoders" in capsys.readouterr().out


def test_an_error_is_one_line_without_a_traceback(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        run(monkeypatch, "preset", "smoke")
    assert stopped.value.code == 1
    assert capsys.readouterr().err.startswith("damamba: error: params.yaml: not found; go to the folder of a project")


def commands():
    """Name and parser of every subcommand."""
    (found,) = (each for each in cli.make_parser()._actions if isinstance(each, argparse._SubParsersAction))
    return found.choices


@pytest.mark.parametrize("name", commands())
def test_every_help_ends_with_examples_that_the_command_accepts(name):
    examples = re.findall(r"(damamba .+?)(?: &&.*)?$", commands()[name].epilog or "", re.MULTILINE)
    assert examples
    for example in examples:
        assert shlex.split(example)[1] == name
        cli.make_parser().parse_args(shlex.split(example)[1:])


def test_help_lists_the_commands():
    done = subprocess.run(
        [sys.executable, "-c", "from damamba.cli import main; main()", "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0
    for command in cli.COMMANDS:
        assert command.__name__.rpartition(".")[2].rstrip("_") in done.stdout


def test_the_commands_are_listed_without_torch():
    program = "import sys; import damamba.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_completion_of_bash_offers_commands_options_and_files(tmp_path):
    script = tmp_path / "damamba.bash"
    program = "from damamba.cli import main; main()"
    printed = subprocess.run(
        [sys.executable, "-c", program, "--print-completion", "bash"], capture_output=True, check=True
    )
    script.write_bytes(printed.stdout)
    (tmp_path / "anna.mp4").touch()

    def completed(*words):
        line = (
            f"source {script}; COMP_WORDS=(damamba {' '.join(words)}); COMP_CWORD={len(words)}; "
            f"$(complete -p damamba | sed -E 's/.*-F ([^ ]+).*/\\1/'); printf '%s\\n' \"${{COMPREPLY[@]}}\""
        )
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=tmp_path, check=True)
        return done.stdout.split()

    assert completed("pre") == ["predict", "preset"]
    assert "--partner" in completed("predict", "--p")
    assert "anna.mp4" in completed("predict", "an")
