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


LAZY = {
    "predict": "damamba.predictor.run",
    "extract": "damamba.predictor.cues",
    "load": "damamba.predictor.load",
}
"""Function -> module: what needs torch is loaded when it is asked for, so that `import damamba` itself is fast."""


def __getattr__(name: str) -> Any:
    if name in LAZY:
        return getattr(import_module(LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *LAZY])
