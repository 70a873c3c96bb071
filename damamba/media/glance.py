"""A quick look at a video, for plans and proposals but not for features: its length, a few of its frames."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import av
import av.error
import numpy as np

from damamba.media.container import LENIENT, choose, most_seconds, open_media, zero_s
from damamba.media.geometry import upright
from damamba.media.probe import probe_video
from damamba.media.track import MediaTrack, as_track

EARLY_S = 1e-3
"""A frame counts as one at a time that is so much later: times are rounded."""
MOST_FRAMES = 300
"""Frames that are decoded at the most to get from a key frame to a time; encoders put a key frame every 250 or so."""


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
    """Yield about `n` frames, spread over the video, as (height, width, 3) uint8 RGB, none of them twice.

    Args:
        video: Any video that decodes.
        n: Frames wanted; each is the key frame before an evenly spaced time. Where that was the one before too, it is
            the frame at the time, and left out if it is further away than `MOST_FRAMES`. They are shown as a player
            does.

    Raises:
        InputError: The file cannot be opened, or contains no video.
    """
    track = as_track(video)
    with open_media(track.path) as container:
        stream = choose(container, track, "video")
        stream.codec_context.options = LENIENT
        length, start = container.duration or 0, zero_s(container) * av.time_base
        before = None
        for k in range(n):
            wanted = int(start + length * (k + 0.5) / n)
            try:
                container.seek(wanted)
                frames = container.decode(stream)
                frame = next(frames, None)
                if before is not None and frame is not None and frame.pts == before:
                    frame = next((one for one in islice(frames, MOST_FRAMES) if _at(one, wanted)), None)
                elif frame is not None:
                    before = frame.pts
            except av.error.FFmpegError:
                continue
            if frame is not None:
                yield np.ascontiguousarray(upright(frame, stream.sample_aspect_ratio))


def _at(frame: av.VideoFrame, wanted: int) -> bool:
    """Whether a frame is shown at a time, in FFmpeg's microseconds, or later."""
    return frame.time is not None and frame.time * av.time_base >= wanted


def frame_at(video: Path | MediaTrack, t_s: float) -> np.ndarray | None:
    """The first frame at or after a time, or else the last one that decodes, (height, width, 3) uint8 RGB; None: none.

    Args:
        video: Any video that decodes.
        t_s: On the clock of the session.

    Raises:
        InputError: The file cannot be opened, or contains no video.
    """
    track = as_track(video)
    with open_media(track.path) as container:
        stream = choose(container, track, "video")
        stream.codec_context.options = LENIENT
        wanted_s = t_s + zero_s(container)
        found = None
        try:
            container.seek(int(wanted_s * av.time_base))
            for found in container.decode(stream):
                if found.time is not None and found.time >= wanted_s - EARLY_S:
                    break
        except av.error.FFmpegError:
            if found is None:
                return None
        return None if found is None else np.ascontiguousarray(upright(found, stream.sample_aspect_ratio))
