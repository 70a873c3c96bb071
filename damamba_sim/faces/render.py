"""From channels to a video file: poses by time, frames by pose, H.264 with given presentation times."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from damamba.config import LABEL_RATE_HZ
from damamba.files import whole_file
from damamba_sim.faces.actor import Actor, Pose

POSE_CHANNELS = (
    "mouth",
    "mouth_round",
    "eye",
    "gaze_x",
    "gaze_y",
    "smile",
    "brow",
    "yaw",
    "pitch",
    "roll",
    "lean",
    "shift_x",
    "present",
    "hand",
    "exit",
)
GAZE_X_DEG, GAZE_Y_DEG = 24.0, 14.0  # where the gaze channel is 1
LEAN_DEG = 2.0  # where the lean channel is 1
EXPOSURE_S = 0.02  # time during which motion smears a picture
CLOCK_HZ = 90_000  # rate of the clock for presentation times in the file
MP4_OPTIONS = {"movie_timescale": str(CLOCK_HZ)}  # otherwise a late start is rounded to a millisecond
X264_OPTIONS = {
    "preset": "veryfast",
    "x264-params": "subme=1:me=dia:trellis=0",  # a quarter faster, for a sixth more bytes
    "bf": "0",  # B frames would shift decoding times
    "threads": "1",  # more would change the bytes
}


def poses(channels: Mapping[str, NDArray], pts_s: Sequence[float]) -> Iterator[Pose]:
    """The pose at each presentation time, interpolated linearly (`present`: the nearest).

    Args:
        channels: (n,) series at 25 Hz by the names in `POSE_CHANNELS`: ``mouth``, ``mouth_round``, ``smile``, ``hand``
            0 to 1, ``eye`` 0 to 1 (open), ``gaze_x``, ``gaze_y``, ``brow`` about -1 to 1, ``yaw``, ``pitch``, ``roll``
            in degrees, ``lean`` about -3 to 3, ``shift_x`` in cm, ``exit`` -1 to 1, ``present`` bool. A missing one
            stays neutral.
        pts_s: Times of the frames on the channels' clock, which starts at 0, s.

    Raises:
        ValueError: A channel has an unknown name, another length than the others, or is not finite.
    """
    unknown = sorted(set(channels) - set(POSE_CHANNELS))
    if unknown:
        raise ValueError(f"channels {', '.join(unknown)}: expected some of {', '.join(POSE_CHANNELS)}")
    lengths = {len(series) for series in channels.values()}
    if len(lengths) > 1:
        raise ValueError(f"channels: expected one length, found {sorted(lengths)}")
    for name, series in channels.items():
        if not np.isfinite(series).all():
            raise ValueError(f"channel {name}: expected finite values")
    at = np.asarray(pts_s, float) * LABEL_RATE_HZ
    index = np.arange(lengths.pop()) if lengths else np.zeros(0)

    def sampled(name: str, neutral: float) -> NDArray[np.float64]:
        series = channels.get(name)
        return np.full(len(at), neutral) if series is None else np.interp(at, index, np.asarray(series, float))

    columns = {
        "mouth": np.clip(sampled("mouth", 0), 0, 1),
        "mouth_round": np.clip(sampled("mouth_round", 0), 0, 1),
        "smile": np.clip(sampled("smile", 0), 0, 1),
        "eye": np.clip(sampled("eye", 1), 0, 1.25),
        "brow": np.clip(sampled("brow", 0), -1.2, 1.2),
        "gaze_x_deg": GAZE_X_DEG * np.clip(sampled("gaze_x", 0), -1.3, 1.3),
        "gaze_y_deg": GAZE_Y_DEG * np.clip(sampled("gaze_y", 0), -1.3, 1.3),
        "yaw_deg": np.clip(sampled("yaw", 0), -60, 60),
        "pitch_deg": np.clip(sampled("pitch", 0), -40, 40),
        "roll_deg": np.clip(sampled("roll", 0), -40, 40),
        "lean_deg": LEAN_DEG * np.clip(sampled("lean", 0), -4, 4),
        "shift_x_cm": np.clip(sampled("shift_x", 0), -10, 10),
        "hand": np.clip(sampled("hand", 0), 0, 1),
        "exit": np.clip(sampled("exit", 0), -1, 1),
    }
    present = channels.get("present")
    nearest = np.clip(np.rint(at), 0, len(index) - 1).astype(int)
    is_present = np.ones(len(at), bool) if present is None else np.asarray(present, bool)[nearest]
    for i in range(len(at)):
        yield Pose(**{name: float(column[i]) for name, column in columns.items()}, present=bool(is_present[i]))


def write_video(
    path: Path, frames: Iterable[NDArray[np.uint8]], pts_s: Sequence[float], fps: float, crf: int = 23
) -> None:
    """Write an MP4 with H.264, whole or not at all; the same frames give the same bytes.

    Args:
        path: File to write; its folder is created.
        frames: (H, W, 3) RGB images of one even size, as many as `pts_s`.
        pts_s: Presentation times, not negative and increasing, regular or not. Exact to 1/90000 s.
        fps: Nominal rate, Hz; sets how long the last frame stays.
        crf: x264's constant rate factor; lower is better and larger.

    Raises:
        ValueError: No frames, times that do not increase, or not as many frames as times.
        FileError: The disk is full or the folder not writable.
    """
    ticks = np.rint(np.asarray(pts_s, float) * CLOCK_HZ).astype(np.int64)
    if not len(ticks) or ticks[0] < 0 or (np.diff(ticks) <= 0).any():
        raise ValueError(f"{path}: presentation times: expected at least one, from 0 on, each later than the last")
    durations = np.append(np.diff(ticks), round(CLOCK_HZ / fps))
    with (
        whole_file(path) as temporary,
        av.open(str(temporary), "w", format="mp4", options=MP4_OPTIONS) as container,
    ):
        stream = None
        for image, tick, duration in zip(frames, ticks.tolist(), durations.tolist(), strict=True):
            if stream is None:
                stream = container.add_stream("libx264", options={**X264_OPTIONS, "crf": str(crf)})
                stream.height, stream.width = image.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.time_base = stream.codec_context.time_base = Fraction(1, CLOCK_HZ)
                stream.codec_context.framerate = Fraction(fps).limit_denominator(1001)
            # OpenCV converts several times faster than FFmpeg, by the same BT.601 matrix
            yuv = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420), np.uint8)
            frame = av.VideoFrame.from_ndarray(yuv, format="yuv420p")
            frame.pts, frame.duration, frame.time_base = tick, duration, Fraction(1, CLOCK_HZ)
            container.mux(stream.encode(frame))
        assert stream is not None
        container.mux(stream.encode(None))


def render_participant(
    path: Path,
    actor: Actor,
    channels: Mapping[str, NDArray],
    fps: float,
    pts_s: Sequence[float] | None = None,
    crf: int = 23,
) -> int:
    """Render one participant's video; returns the number of frames.

    Args:
        path: The MP4 to write.
        actor: The person and the camera.
        channels: As in `poses`.
        fps: Frames a second, Hz.
        pts_s: Presentation times of the frames; None: regular ones, as long as the channels last.
        crf: As in `write_video`.
    """
    duration_s = len(next(iter(channels.values()))) / LABEL_RATE_HZ
    times_s = list(pts_s) if pts_s is not None else (np.arange(round(duration_s * fps)) / fps).tolist()
    opening_s = np.maximum(np.asarray(times_s) - EXPOSURE_S, 0).tolist()
    pairs = zip(poses(channels, times_s), poses(channels, opening_s), strict=True)
    frames = (actor.render(pose, i, before) for i, (pose, before) in enumerate(pairs))
    write_video(path, frames, times_s, fps, crf)
    return len(times_s)
