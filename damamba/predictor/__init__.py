"""From videos of a conversation to engagement over time, with a trained model: the pipeline's own passes, in a row."""

from pathlib import Path

SHIPPED = Path(__file__).parent / "checkpoints/offline"
"""The model that comes with the package."""
SHIPPED_CAUSAL = SHIPPED.with_name("causal")
"""The one for `damamba stream`."""
PRESET = "real"
"""Whose cues are extracted where nothing else is asked for."""
