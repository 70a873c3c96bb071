"""The pipeline as a folder of its own, for an installed damamba: what ``damamba new`` writes.

The links in ``template`` are the repository's own pipeline, so that a project and the repository run the same stages.
"""

import hashlib
import io
import re
import shutil
import subprocess
from itertools import count
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

import damamba
from damamba.console import InputError
from damamba.files import replace_file
from damamba.keys import package_digest
from damamba.presets.apply import write_presets

TEMPLATE = Path(__file__).parent / "template"
CODE = "code.txt"
"""In place of the rooms of the code, on which the stages of the repository depend."""
ROOMS = ("damamba/", "damamba_sim/")
PRESETS = ["demo", "real", "long"]
HEADER = f"""The stages. `damamba new .` writes this file anew, after an upgrade of damamba too.
Each stage depends on its script, on what it reads, and on {CODE}, the version of the code."""
RUN = "results/run.json"
"""A result of every run."""
INPUTS = ("recordings", "release")


def make(folder: Path) -> list[str]:
    """Write a project; in one that is there, bring the pipeline up to the installed version and leave the rest.

    Files of the pipeline that you changed are set aside.

    Returns:
        What was done, a line each.

    Raises:
        InputError: The folder holds something else, or cannot be made.
    """
    before = _written_before(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        foreign = before is None and any(path.name != ".git" for path in folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder}: cannot be a folder ({error.strerror})") from None
    if foreign:
        raise InputError(f"{folder}: is not empty and not a project of damamba; name a new folder")
    aside = _write_pipeline(folder, before or {})
    versioned = _fill(folder)
    if before is not None:
        done = f"{folder}: stages, dvc.yaml and {CODE} are those of damamba {damamba.__version__}; all else stays"
        return [done, *(f"yours, set aside: {path}" for path in aside)]
    return [
        f"{folder}: a project with the presets {', '.join(PRESETS)}, {versioned}",
        f"next: put videos and labels into {folder / 'data/recordings'}, then, in {folder}:",
        "  damamba init data/recordings",
        "  dvc repro",
    ]


def _written_before(folder: Path) -> dict[str, str] | None:
    """File of the pipeline -> hash, as the earlier run wrote it; None where the folder is no project."""
    path = folder / CODE
    lines = path.read_text(encoding="utf8", errors="replace").splitlines() if path.is_file() else []
    if not lines or not re.fullmatch(r"damamba \S+ [0-9a-f]{12}", lines[0]):
        return None
    pairs = (line.partition("  ") for line in lines[1:])
    return {name: digest for digest, _, name in pairs if name}


def _write_pipeline(folder: Path, before: dict[str, str]) -> list[Path]:
    """Write stages, dvc.yaml and, at the end, the list of both; returns the files that were set aside."""
    wanted = {f"stages/{script.name}": script.read_bytes() for script in sorted((TEMPLATE / "stages").glob("*.py"))}
    wanted["dvc.yaml"] = _pipeline()
    aside = []
    for name in {**before, **wanted}:
        path = folder / name
        if not path.is_file() or path.read_bytes() == wanted.get(name):
            continue
        if _short_hash(path.read_bytes()) != before.get(name):
            aside.append(path.rename(_free(path)))
        elif name not in wanted:
            path.unlink()
    (folder / "stages").mkdir(exist_ok=True)
    for name, content in wanted.items():
        replace_file(folder / name, content)
    lines = [f"damamba {damamba.__version__} {package_digest()}"]
    lines += [f"{_short_hash(content)}  {name}" for name, content in wanted.items()]
    replace_file(folder / CODE, ("\n".join(lines) + "\n").encode())
    return aside


def _free(path: Path) -> Path:
    """A name beside a file that is not taken: FILE.1, FILE.2 and so on."""
    return next(new for n in count(1) if not (new := path.with_name(f"{path.name}.{n}")).exists())


def _short_hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def _pipeline() -> bytes:
    """dvc.yaml, with the version of the code in place of its rooms."""
    yaml = YAML()
    yaml.width = 120
    pipeline = yaml.load((TEMPLATE / "dvc.yaml").read_text(encoding="utf8"))
    for stage in pipeline["stages"].values():
        _without_rooms(stage.get("do", stage))
    pipeline.yaml_set_start_comment(HEADER)
    text = io.StringIO()
    yaml.dump(pipeline, text)
    return text.getvalue().encode()


def _fill(folder: Path) -> str:
    """Make what is not there: places for inputs, parameters, a page, git and DVC; what became of the latter."""
    for name in INPUTS:
        if not (folder / "data" / name).is_dir():
            (folder / "data" / name).mkdir(parents=True)
            replace_file(folder / "data" / name / ".gitkeep", b"")
    (folder / "extensions").mkdir(exist_ok=True)
    contents = {
        "extensions/README.md": (TEMPLATE / "extensions.md").read_bytes(),
        "README.md": (TEMPLATE / "README.md").read_bytes(),
        ".gitignore": (TEMPLATE / "gitignore").read_bytes(),
        ".dvcignore": (TEMPLATE / "dvcignore").read_bytes(),
    }
    for name, content in contents.items():
        if not (folder / name).exists():
            replace_file(folder / name, content)
    if not (folder / "params.yaml").exists():
        made = folder / ".params.yaml"
        replace_file(made, (TEMPLATE / "params.yaml").read_bytes())
        write_presets(PRESETS, made)
        _set_source(made)
        made.rename(folder / "params.yaml")
    return _versioned(folder)


def _without_rooms(stage: Any) -> None:
    """Let a stage depend on the version of the code as a whole."""
    kept = [dep for dep in stage["deps"] if not dep.startswith(ROOMS)]
    del stage["deps"][:]
    stage["deps"].extend([*kept, CODE])


def _set_source(params: Path) -> None:
    text = params.read_text(encoding="utf8")
    changed = re.sub(r"(?m)^(  sources: )\[[^]]*\]", r"\1[folder]", text, count=1)
    replace_file(params, changed.encode())


def kept_results(folder: Path, params: Path | None = None) -> str | None:
    """A line where a run would replace results that git keeps: in a clone of the repository, those of the demo.

    Args:
        folder: Where the pipeline runs. A project of `make` has results of its own, and needs no line.
        params: If given, only where this file is not as git has it: with the parameters of the demo, its results stay.
    """
    if (
        (folder / CODE).is_file()
        or not (folder / RUN).is_file()
        or not _git(folder, "ls-files", "--error-unmatch", RUN)
    ):
        return None
    if params and _git(folder, "diff", "--quiet", "HEAD", "--", str(params)):
        return None
    return (
        "results/ and dvc.lock hold the demo's results, under git; a run here replaces them. For work of your own: "
        "damamba new FOLDER, a project with results of its own (git restore . brings the demo's back)"
    )


def _git(folder: Path, *question: str) -> bool:
    """Whether git answers yes; no, where it is not installed."""
    git = shutil.which("git")
    return git is not None and subprocess.run([git, "-C", folder, *question], capture_output=True).returncode == 0


def _versioned(folder: Path) -> str:
    """Make it a repository of DVC, and of git where it lies in none; what it is under then."""
    git = shutil.which("git")
    inside = _git(folder, "rev-parse") and not _git(folder, "check-ignore", "--quiet", ".")
    if git and not inside:
        subprocess.run([git, "init", "--quiet", folder], check=True)
    if not (folder / ".dvc").exists():
        (folder / ".dvc").mkdir()
        alone = "" if git else "    no_scm = true\n"
        config = f"[core]\n    analytics = false\n    check_update = false\n{alone}"
        replace_file(folder / ".dvc/config", config.encode())
        replace_file(folder / ".dvc/.gitignore", b"/config.local\n/tmp\n/cache\n")
    return "under git and DVC" if git else "under DVC alone: git is not installed"
