"""Commands that are printed can be run, whatever the names are."""

import shlex
import subprocess
import sys

import pytest
from dvc.utils.hydra import apply_overrides
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from damamba.text import override, shell_path

NAMES = [
    "plain/folder", "Gespräche 2026", "a(b)", "a,b", "a=b", "it's", "#1", "a&b", "[x", "a;b", "~x", "*", "会议",
    "запись", "2026", "1e3", "null", "True", "nan", ".", "..", "a\\b", "a\\", "a\\'b", 'a"b', 'a\\"', "$HOME",
    "${oc.env:HOME}", "\\${x}", "`ls`", "a:b", "100%", "{a}", "a b  c", "!x", "-x", "a|b", "<x>", "@x", "?",
]  # fmt: skip


def as_run(argument, folder):
    """The value of `corpus.folder.root` after a shell and DVC have read the argument."""
    (read,) = shlex.split(argument)
    params = folder / "params.yaml"
    params.write_text("corpus: {folder: {root: data/recordings}}\n")
    apply_overrides(params, [read])
    return YAML(typ="safe").load(params.read_text())["corpus"]["folder"]["root"]


@pytest.mark.parametrize("name", NAMES)
def test_an_override_is_read_by_shell_and_dvc_as_it_was_meant(tmp_path, name):
    value = as_run(override("corpus.folder.root", name), tmp_path)
    assert value == name


@settings(deadline=None, max_examples=40)
@given(st.text(st.characters(blacklist_categories=["C"], blacklist_characters="\x85\u2028\u2029"), min_size=1))
def test_any_name_survives(tmp_path_factory, name):
    if "${" not in name and not name.startswith(":"):  # ruamel writes {root: :0} and does not read it
        assert as_run(override("corpus.folder.root", name), tmp_path_factory.mktemp("o")) == name


def test_plain_names_are_printed_plainly():
    assert override("corpus.folder.root", "data/recordings") == "corpus.folder.root=data/recordings"
    assert shell_path("data/recordings") == "data/recordings"


@pytest.mark.parametrize("name", [*NAMES, "--help", "a:b.mp4", "~root/x"])
def test_a_path_reaches_a_program_as_one_argument_that_is_no_option(tmp_path, name):
    (tmp_path / name.replace("/", "_")).mkdir(exist_ok=True)
    shown = f"{sys.executable} -c 'import sys; print(len(sys.argv), sys.argv[1])' {shell_path(name)}"
    done = subprocess.run(["bash", "-c", shown], capture_output=True, text=True, check=True, cwd=tmp_path)
    number, _, argument = done.stdout.rstrip("\n").partition(" ")
    assert number == "2"
    assert argument.removeprefix("./") == name.removeprefix("./")
    assert not argument.startswith("-")
