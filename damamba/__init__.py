"""DA-Mamba: frame-level engagement from the video and audio of a conversation.

Letters in the shapes of this package (the order is always batch, participant, time, channel):

| letter | meaning |
|---|---|
| B | windows in a batch |
| P | participants of a session; index 0 is the target, padded seats have ``present == False`` |
| T | frames that the model sees, ``window.rate_hz`` a second |
| L | labels of a window, 25 a second |
| N | rows of a stream at its own rate, before alignment |
| D | channels of one cue; ``d_model`` after projection |

Masks are True where something was observed. Times are seconds on the session's clock. Words such as target, cue and
window: docs/glossary.md.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Load what needs torch when it is asked for: `import damamba` itself is fast."""
    if name == "predict":
        return import_module("damamba.predictor.run").predict
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
