"""``results/run.json``: with which versions, on what kind of machine, how long and in how much memory."""

from collections.abc import Collection
from importlib.metadata import version
from pathlib import Path
from typing import Any

from damamba import __version__
from damamba.console import InputError, machine
from damamba.scoring.results import read_json

PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "pyarrow",
    "accelerate",
    "transformers",
    "open_clip_torch",
    "mediapipe",
    "av",
    "opencv-python-headless",
    "librosa",
    "matplotlib",
    "dvc",
)
ORDER = (
    "simulate",
    "ingest",
    "track_faces",
    "rendering",
    "extract",
    "align",
    "train",
    "evaluate",
    "ablate",
    "benchmark",
)


def provenance(
    timing: Path, runs: Collection[str], cues: Collection[str], simulated: bool, preset: str
) -> dict[str, Any]:
    """Everything that ``run.json`` holds.

    Args:
        timing: Folder of what each stage wrote about itself.
        runs: Runs of this pipeline; the timings of others are left out.
        cues: Cues, likewise.
        simulated: Whether the people are.
        preset: Name of the last preset.

    Raises:
        InputError: No stage left a timing, or one is damaged.
    """
    stages = {}
    for path in sorted(timing.glob("*.json"), key=_place):
        stage, _, item = path.stem.partition("-")
        if item and item not in (cues if stage == "extract" else runs):
            continue
        stages[path.stem] = read_json(path, f"dvc repro -f {stage}{f'@{item}' if item else ''}")
    if not stages:
        raise InputError(f"{timing}: no stage has left its time and memory there; run them: dvc repro")
    return {
        "simulated": simulated,
        "preset": preset,
        "versions": {"damamba": __version__, **{name: version(name) for name in PACKAGES}},
        "machine": machine(),
        "seconds": round(sum(stage["seconds"] for stage in stages.values()), 2),
        "stages": stages,
    }


def _place(path: Path) -> tuple[int, str]:
    """Stages in the order of the pipeline, then by name."""
    stage = path.stem.partition("-")[0]
    return ORDER.index(stage) if stage in ORDER else len(ORDER), path.stem
