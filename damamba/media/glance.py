"""A quick look at a video, for plans and proposals but not for features: its length, a few of its frames."""

from collections.abc import Iterator
from pathlib import Path

import av
import av.error
import numpy as np

from damamba.media.container import LENIENT, choose, most_seconds, open_media, zero_s
from damamba.media.geometry import upright
from damamba.media.probe import probe_video
from damamba.media.track import MediaTrack, as_track


def length_s(video: Path | MediaTrack) -> float:
    """Length in the container's header, or that of its packets where the header has none or too much; s.

    Raises:
        InputError: The file cannot be opened, or contains no video.
    """
    track = as_track(video)
    with open_media(track.path) as container:
        claimed_s = float(container.duration / av.time_base) if container.duration else 0.0
    return claimed_s if 0 < claimed_s <= most_seconds(track.path) else probe_video(track).end_s


def sample_frames(video: Path | MediaTrack, n: int) -> Iterator[np.ndarray]:
    """Yield about `n` frames, spread over the video, as (height, width, 3) uint8 RGB; fewer where seeking fails.

    Args:
        video: Any video that decodes.
        n: Frames wanted; each is the key frame before an evenly spaced time. They are shown as a player does.

    Raises:
        InputError: The file cannot be opened, or contains no video.
    """
    track = as_track(video)
    with open_media(track.path) as container:
        stream = choose(container, track, "video")
        stream.codec_context.options = LENIENT
        length, start = container.duration or 0, zero_s(container) * av.time_base
        for k in range(n):
            try:
                container.seek(int(start + length * (k + 0.5) / n))
                frame = next(container.decode(stream), None)
            except av.error.FFmpegError:
                continue
            if frame is not None:
                yield np.ascontiguousarray(upright(frame, stream.sample_aspect_ratio))
