"""The channels of behaviour as five feature streams, for a corpus without media.

The streams have the format and the file names of the release, so every later stage reads them like released ones.
"""

from pathlib import Path

import numpy as np

from damamba.config import LABEL_RATE_HZ
from damamba.corpus.ssi import write_stream
from damamba_sim.behaviour.conversation import Conversation

STREAMS = {
    "turns": ("speech", "backchannel", "fall"),
    "prosody": ("voice_pitch", "loudness", "rate", "liveliness"),
    "face": ("mouth", "eye", "smile", "brow"),
    "gaze": ("gaze_x", "gaze_y"),
    "body": ("yaw", "pitch", "roll", "nod", "lean", "shift_x", "hand"),
}
"""Stream: its columns. The first two are heard, the others seen."""


def stream_names(participant: str) -> dict[str, str]:
    """Stream: the name of its header file. The data file has the same name with ``~`` at the end."""
    return {name: f"{participant}.{name}.stream" for name in STREAMS}


def write_streams(folder: Path, participant: str, conversation: Conversation, seat: int) -> None:
    """Write the streams of one participant at 25 Hz."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, file in stream_names(participant).items():
        columns = np.stack([conversation.channels[channel][seat] for channel in STREAMS[name]], axis=1)
        write_stream(folder / file, columns.astype(np.float32), LABEL_RATE_HZ)
