"""``results/run.json``: what the results were made with. Times and machine are in `damamba.report.timing`."""

from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from damamba import __version__
from damamba.data.shards import Cue

PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "pyarrow",
    "transformers",
    "open_clip_torch",
    "ai-edge-litert",
    "av",
    "opencv-python-headless",
    "librosa",
    "matplotlib",
    "dvc",
)


def provenance(cues: Mapping[str, Cue], simulated: bool, preset: str) -> dict[str, Any]:
    """Everything that ``run.json`` holds.

    Args:
        cues: Of the shards, with their extractors and checkpoints.
        simulated: Whether the participants are.
        preset: Name of the last preset.
    """
    return {
        "simulated": simulated,
        "preset": preset,
        "cues": {name: asdict(cue) for name, cue in cues.items()},
        "versions": {"damamba": __version__, **{name: version(name) for name in PACKAGES}},
    }
