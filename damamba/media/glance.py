"""A video at a glance: its length by the header, a few of its pictures. For plans and proposals, never for features."""

from collections.abc import Iterator
from pathlib import Path

import av
import av.error
import numpy as np

from damamba.console import InputError
from damamba.media.decode import CONTAINERS, probe_video

OPTIONS = {"protocol_whitelist": "file", "format_whitelist": CONTAINERS}


def length_s(video: Path) -> float:
    """Length as the container's header has it, s; of a container without one, by its packets.

    Raises:
        InputError: It cannot be opened, or holds no video.
    """
    try:
        with av.open(str(video), options=OPTIONS) as container:
            if container.duration:
                return container.duration / av.time_base
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(f"{video}: not a readable media file ({error.strerror}); is it complete?") from None
    return probe_video(video).end_s


def sample_frames(video: Path, n: int) -> Iterator[np.ndarray]:
    """(height, width, 3) uint8 RGB of about `n` pictures, spread over the video; fewer where seeking does not work.

    Args:
        video: Any video that decodes.
        n: How many are wanted. Their times are those of the key frames nearby.
    """
    with av.open(str(video), options=OPTIONS) as container:
        stream = container.streams.video[0]
        length = container.duration or 0
        for k in range(n):
            try:
                container.seek(int(length * (k + 0.5) / n))
                frame = next(container.decode(stream), None)
            except av.error.FFmpegError:
                continue
            if frame is not None:
                yield np.ascontiguousarray(frame.to_ndarray(format="rgb24"))
