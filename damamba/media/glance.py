"""A quick look at a video, for plans and proposals but not for features: its length, a few of its frames."""

from collections.abc import Iterator
from pathlib import Path

import av
import av.error
import numpy as np

from damamba.console import InputError
from damamba.media.decode import OPEN_OPTIONS, probe_video


def length_s(video: Path) -> float:
    """Length in the container's header, or that of its packets where the header has none; s.

    Raises:
        InputError: The file cannot be opened, or contains no video.
    """
    try:
        with av.open(str(video), options=OPEN_OPTIONS) as container:
            if container.duration:
                return container.duration / av.time_base
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(f"{video}: not a readable media file ({error.strerror}); is it complete?") from None
    return probe_video(video).end_s


def sample_frames(video: Path, n: int) -> Iterator[np.ndarray]:
    """Yield about `n` frames, spread over the video, as (height, width, 3) uint8 RGB; fewer where seeking fails.

    Args:
        video: Any video that decodes.
        n: Frames wanted; each is the key frame before an evenly spaced time.
    """
    with av.open(str(video), options=OPEN_OPTIONS) as container:
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
