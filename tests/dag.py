"""Copies of the repository in which the pipeline runs, for tests of the whole DAG."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
LANDMARKER = "data/landmarker/face_landmarker.task"
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "DVC_NO_ANALYTICS": "1",
    "GIT_AUTHOR_NAME": "t",
    "GIT_AUTHOR_EMAIL": "t@example.org",
    "GIT_COMMITTER_NAME": "t",
    "GIT_COMMITTER_EMAIL": "t@example.org",
}


def elsewhere(folder: Path) -> dict[str, str]:
    """Environment of another place: a locale in which ``I`` is not the capital of ``i``, and the farthest time zone."""
    if shutil.which("localedef") and Path("/usr/share/i18n/locales/tr_TR").is_file():
        folder.mkdir()
        subprocess.run(["localedef", "-i", "tr_TR", "-f", "UTF-8", folder / "tr_TR.UTF-8"], check=True)
    # where the locale is not installed, libraries fall back to C, which is another one too
    return {"LOCPATH": str(folder), "LC_ALL": "tr_TR.UTF-8", "TZ": "Pacific/Kiritimati"}


def call(
    folder: Path, *command: str, check: bool = True, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess:
    """Run a command in `folder`, with some variables beside those of `ENVIRONMENT`."""
    whole = {**ENVIRONMENT, **(environment or {})}
    done = subprocess.run(command, cwd=folder, env=whole, capture_output=True, text=True, encoding="utf8")
    if check:
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done


def damamba(folder: Path, *arguments: str) -> str:
    """The command `damamba` of the copy, not the installed one."""
    return call(folder, sys.executable, "-c", "from damamba.cli import main; main()", *arguments).stdout


def repro(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> list[str]:
    """Names of the stages that ran."""
    return ran(call(folder, "dvc", "repro", *arguments, environment=environment).stdout)


def ran(output: str) -> list[str]:
    """Names of the stages that ran, of what DVC printed."""
    return re.findall(r"Running stage '([^']+)'", output)


def set_param(folder: Path, old: str, new: str) -> None:
    """Replace the first `old` in params.yaml."""
    text = (folder / "params.yaml").read_text()
    assert old in text
    (folder / "params.yaml").write_text(text.replace(old, new, 1))


def times(folder: Path, where: str) -> dict[str, int]:
    """When each shard below a folder was written."""
    root = folder / where
    whole = (path for path in root.rglob("*.parquet") if not path.name.startswith("."))
    return {path.relative_to(root).as_posix(): path.stat().st_mtime_ns for path in whole}


def linked_copy(base: Path, folder: Path, own: Iterable[str]) -> Path:
    """A copy of a finished repository; hard links keep it cheap, since no stage opens an old file for writing.

    Args:
        base: The repository.
        folder: Where the copy goes.
        own: Paths that are written in place, of which the copy gets files of its own.
    """
    call(base.parent, "cp", "-al", str(base), str(folder))
    for name in own:
        whole = folder / name
        if whole.is_dir():
            shutil.rmtree(whole)
            shutil.copytree(base / name, whole, symlinks=True)
        elif whole.exists():
            whole.unlink()
            shutil.copy2(base / name, whole)
    shutil.rmtree(folder / "state/locks")  # a lock would hold for all copies
    return folder


def copy_repository(folder: Path) -> None:
    """What git tracks or would track, without results, as a repository of its own, and the landmarker with it."""
    for name in call(ROOT, "git", "ls-files", "--cached", "--others", "--exclude-standard").stdout.splitlines():
        if (ROOT / name).exists() and not name.startswith("results/") and name != "dvc.lock":
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
    (folder / LANDMARKER).parent.mkdir(parents=True)
    shutil.copy2(ROOT / LANDMARKER, folder / LANDMARKER)
    call(folder, "git", "init", "-q")
    call(folder, "git", "add", "-A")
    call(folder, "git", "commit", "-qm", "code")
