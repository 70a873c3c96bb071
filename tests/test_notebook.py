"""The notebook runs from top to bottom, and what it prints is what it shows."""

import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOK = "engagement.ipynb"


def outputs(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


def words(notebook):
    """What the cells printed, less numbers: their last digits depend on the kind of CPU."""
    printed = "".join(output.text for output in outputs(notebook) if output.get("name") == "stdout")
    return [word for word in printed.split() if not any(letter.isdigit() for letter in word)]


def pictures(notebook):
    return sum("image/png" in output.get("data", {}) for output in outputs(notebook))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Jupyter
def test_it_runs_and_prints_what_it_shows(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "examples", tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("out"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    committed = nbformat.read(ROOT / "examples" / NOTEBOOK, 4)
    fresh = nbformat.read(tmp_path / NOTEBOOK, 4)
    NotebookClient(fresh, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert words(fresh) == words(committed)
    assert pictures(fresh) == pictures(committed) == 3
