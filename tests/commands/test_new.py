"""`damamba new`: a project that the installed package runs, and that an upgrade leaves alone where it is yours."""

import hashlib
import os
import shutil
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest
import yaml

from damamba.commands.preset import run as preset
from damamba.config import Params
from damamba.console import InputError
from damamba.project import CODE, RUN, make
from tests.commands.recordings import init
from tests.conftest import FROZEN_PARAMS

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
EARLIER = hashlib.sha256(b"of an earlier version").hexdigest()[:12]


@pytest.fixture
def project(tmp_path):
    make(tmp_path / "study")
    return tmp_path / "study"


def test_a_project_depends_on_nothing_of_the_repository(project):
    stages = yaml.safe_load((project / "dvc.yaml").read_text())["stages"]
    assert set(stages) == set(yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"])
    for stage in stages.values():
        deps = stage.get("do", stage)["deps"]
        assert CODE in deps
        assert not [dep for dep in deps if dep.startswith(("damamba/", "damamba_sim/"))]
        scripts = [dep for dep in deps if dep.startswith("stages/")]
        assert scripts
        assert all((project / script).read_bytes() == (ROOT / script).read_bytes() for script in scripts)


def test_its_parameters_are_those_for_recordings_of_real_people(project, monkeypatch):
    monkeypatch.chdir(project)
    params = Params.load()
    assert params.corpus.sources == ("folder",)
    assert "expression" in params.cues
    for folder in (params.code, params.corpus.folder["root"], params.corpus.official["root"]):
        assert Path(folder).is_dir()


def test_an_upgrade_renews_the_stages_and_leaves_the_rest(project):
    """As of an earlier version: one stage was another, one is no more; params.yaml and the page are the user's."""
    (project / "params.yaml").write_text("mine: true\n")
    (project / "README.md").write_text("mine")
    for name in ("align.py", "gone.py"):
        (project / "stages" / name).write_text("of an earlier version")
    lines = ["damamba 0.0.1 0123456789ab", *(f"{EARLIER}  stages/{name}" for name in ("align.py", "gone.py"))]
    lines += [line for line in (project / CODE).read_text().splitlines()[1:] if "align" not in line]
    (project / CODE).write_text("\n".join(lines) + "\n")
    (line,) = make(project)
    assert "all else stays" in line
    assert (project / "stages/align.py").read_bytes() == (ROOT / "stages/align.py").read_bytes()
    assert not (project / "stages/gone.py").exists()
    assert "0.0.1" not in (project / CODE).read_text()
    assert (project / "params.yaml").read_text() == "mine: true\n"
    assert (project / "README.md").read_text() == "mine"


def test_what_you_changed_in_the_pipeline_is_set_aside_and_what_you_added_stays(project):
    (project / "stages/align.py").write_text("mine")
    (project / "stages/my_stage.py").write_text("mine")
    (project / "dvc.yaml").write_text("stages: {}\n")
    lines = make(project)
    assert (project / "stages/align.py.1").read_text() == "mine"
    assert (project / "dvc.yaml.1").read_text() == "stages: {}\n"
    assert (project / "stages/my_stage.py").read_text() == "mine"
    assert sum("set aside" in line for line in lines) == 2
    assert len(make(project)) == 1


def test_a_project_that_was_made_in_part_is_completed(project):
    shutil.rmtree(project / "data")
    shutil.rmtree(project / ".dvc")
    (project / "params.yaml").unlink()
    make(project)
    assert (project / "data/recordings").is_dir()
    assert (project / ".dvc/config").is_file()
    assert "sources: [folder]" in (project / "params.yaml").read_text()


def test_a_new_repository_of_git_may_be_the_place(tmp_path):
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    assert "a project" in make(tmp_path)[0]


def test_in_a_clone_what_would_replace_the_demo_s_results_leads_to_a_project(tmp_path, monkeypatch, capsys):
    def git(*command):
        who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        subprocess.run(["git", *who, *command], cwd=tmp_path, check=True, capture_output=True)

    def told(*names):
        preset(Namespace(names=list(names)))
        return capsys.readouterr().err

    monkeypatch.chdir(tmp_path)
    shutil.copy(FROZEN_PARAMS, "params.yaml")
    (tmp_path / RUN).parent.mkdir()
    (tmp_path / RUN).write_text("{}")
    git("init", "--quiet")
    assert told("smoke") == ""  # results that git does not keep
    told("demo", "compact", "simulated")
    git("add", "-A")
    git("commit", "-qm", "the demo")
    assert "damamba new FOLDER" in told("real")
    assert told("demo", "compact", "simulated") == ""  # as committed: the demo's results stay
    (tmp_path / CODE).write_text("a project's own results")
    assert told("real") == ""


def test_a_folder_with_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="not empty and not a project"):
        make(tmp_path)
    with pytest.raises(InputError, match="cannot be a folder"):
        make(tmp_path / "thesis.tex")
    with pytest.raises(InputError, match="cannot be a folder"):
        make(tmp_path / "thesis.tex/study")
    (tmp_path / CODE).write_text("print(1)")  # somebody else's file of this name
    with pytest.raises(InputError, match="not empty and not a project"):
        make(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [CODE, "thesis.tex"]


def test_commands_in_a_project_find_the_parts_in_its_extensions(project, tmp_path):
    def preset(folder):
        program = "from damamba.cli import main; main()"
        command = [
            sys.executable,
            "-P",
            "-c",
            program,
            "preset",
            "smoke",
        ]  # -P: without the working folder, as installed
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)

    shutil.copy(ROOT / "damamba/extractors/elapsed.py", project / "extensions/clock.py")
    params = (project / "params.yaml").read_text()
    cue = "  clock: {group: audio, extractor: extensions.clock, reads: corpus}\n"
    (project / "params.yaml").write_text(params.replace("\ncues:", f"\ncues:\n{cue}#", 1))
    done = preset(project)
    assert done.returncode == 0, done.stderr
    (project / "extensions/clock.py").unlink()
    assert "extensions.clock" in preset(project).stderr


@pytest.mark.slow
def test_dvc_runs_it_on_recordings(place, tmp_path):
    """The first stages; the others are the repository's, letter by letter."""
    project = tmp_path / "study"
    make(project)
    root = place("s1/anna.mp4", "s1/ben.mp4", "s2/cleo.mp4", "s2/dora.mp4", "s3/eva.mp4", "s3/fred.mp4")
    shutil.rmtree(project / "data/recordings")
    root.rename(project / "data/recordings")
    init(project / "data/recordings")

    def dvc(*command):
        environment = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1"}
        done = subprocess.run(
            [BIN / "dvc", *command], cwd=project, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    dvc("repro", "ingest")
    assert len((project / "data/corpus/manifest.jsonl").read_text().splitlines()) == 1 + 6
    assert "up to date" in dvc("status", "ingest")
    make(project)
    assert "up to date" in dvc("status", "ingest")
