"""The pipeline as a folder of its own, for an installed damamba: what ``damamba new`` writes.

The links in ``template`` are the repository's own pipeline, so that a project and the repository run the same stages.
"""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

import damamba
from damamba.console import InputError
from damamba.files import replace_file, whole_file
from damamba.keys import package_digest
from damamba.presets.apply import write_presets

HERE = Path(__file__).parent / "template"
CODE = "code.txt"
"""In place of the rooms of the code, on which the stages of the repository depend."""
ROOMS = ("damamba/", "damamba_sim/")
PRESETS = ["demo", "real", "long"]
HEADER = f"""The stages. `damamba new .` writes this file anew, after an upgrade of damamba too.
Each stage depends on its script, on what it reads, and on {CODE}, the version of the code."""
INPUTS = ("recordings", "release")
EXTENSIONS = "Your own cues, architectures, losses and metrics: one file each, named in `params.yaml`.\n"


def make(folder: Path) -> list[str]:
    """Write a project; in one that is there, bring the pipeline up to the installed version and leave the rest.

    Returns:
        What was done, a line each.

    Raises:
        InputError: The folder holds something else.
    """
    known = (folder / CODE).is_file()
    if folder.exists() and not known and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: is not empty and not a project of damamba; name a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    _write_pipeline(folder)
    if known:
        return [f"{folder}: stages, dvc.yaml and {CODE} are those of damamba {damamba.__version__}; all else stays"]
    for name in INPUTS:
        (folder / "data" / name).mkdir(parents=True)
        replace_file(folder / "data" / name / ".gitkeep", b"")
    (folder / "extensions").mkdir()
    replace_file(folder / "extensions/README.md", EXTENSIONS.encode())
    replace_file(folder / "README.md", (HERE / "README.md").read_bytes())
    replace_file(folder / ".gitignore", (HERE / "gitignore").read_bytes())
    replace_file(folder / ".dvcignore", (HERE / "dvcignore").read_bytes())
    replace_file(folder / "params.yaml", (HERE / "params.yaml").read_bytes())
    write_presets(PRESETS, folder / "params.yaml")
    _set_source(folder / "params.yaml")
    return [
        f"{folder}: a project with the presets {', '.join(PRESETS)}" + _versioned(folder),
        f"next: put videos and labels into {folder / 'data/recordings'}, then, in {folder}:",
        "  damamba init data/recordings",
        "  dvc repro",
    ]


def _write_pipeline(folder: Path) -> None:
    (folder / "stages").mkdir(exist_ok=True)
    scripts = sorted((HERE / "stages").glob("*.py"))
    for script in scripts:
        replace_file(folder / "stages" / script.name, script.read_bytes())
    for old in set((folder / "stages").glob("*.py")) - {folder / "stages" / script.name for script in scripts}:
        old.unlink()
    yaml = YAML()
    yaml.width = 120
    pipeline = yaml.load((HERE / "dvc.yaml").read_text(encoding="utf8"))
    for stage in pipeline["stages"].values():
        _without_rooms(stage.get("do", stage))
    pipeline.yaml_set_start_comment(HEADER)
    with whole_file(folder / "dvc.yaml") as temporary, temporary.open("w", encoding="utf8") as file:
        yaml.dump(pipeline, file)
    replace_file(folder / CODE, f"damamba {damamba.__version__} {package_digest()}\n".encode())


def _without_rooms(stage: Any) -> None:
    """Let a stage depend on the version of the code as a whole."""
    kept = [dep for dep in stage["deps"] if not dep.startswith(ROOMS)]
    del stage["deps"][:]
    stage["deps"].extend([*kept, CODE])


def _set_source(params: Path) -> None:
    text = params.read_text(encoding="utf8")
    changed = re.sub(r"(?m)^(  sources: )\[[^]]*\]", r"\1[folder]", text, count=1)
    replace_file(params, changed.encode())


def _versioned(folder: Path) -> str:
    """Make it a repository of git where there is git and it lies in none; and of DVC."""
    git = shutil.which("git")
    inside = git and subprocess.run([git, "-C", folder, "rev-parse"], capture_output=True).returncode == 0
    if git and not inside:
        subprocess.run([git, "init", "--quiet", folder], check=True)
    (folder / ".dvc").mkdir()
    alone = "" if git else "    no_scm = true\n"
    config = f"[core]\n    analytics = false\n    check_update = false\n{alone}"
    replace_file(folder / ".dvc/config", config.encode())
    replace_file(folder / ".dvc/.gitignore", b"/config.local\n/tmp\n/cache\n")
    return ", under git and DVC" if git else ", under DVC alone: git is not installed"
