"""Media with known content: a picture shows its number as blocks, sound is made of tones; FFmpeg writes the files."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BLOCK_PX, COLUMNS, ROWS = 8, 8, 3
SIZE_PX = (BLOCK_PX * COLUMNS, BLOCK_PX * ROWS * 2)
"""Width and height; the lower half is grey."""


def picture(number: int, size: tuple[int, int] = SIZE_PX) -> np.ndarray:
    """(height, width, 3) uint8 picture that shows `number` in its upper half."""
    bits = (number >> np.arange(COLUMNS * ROWS)) & 1
    blocks = np.where(bits, 220, 40).astype(np.uint8).reshape(ROWS, COLUMNS)
    upper = np.kron(blocks, np.ones((BLOCK_PX, BLOCK_PX), np.uint8))
    image = np.full((SIZE_PX[1], SIZE_PX[0]), 128, np.uint8)
    image[: upper.shape[0]] = upper
    column, row = (np.arange(n) * old // n for n, old in ((size[0], SIZE_PX[0]), (size[1], SIZE_PX[1])))
    return np.repeat(image[row][:, column][..., None], 3, axis=2)


def number_of(image: np.ndarray) -> int:
    """The number that a picture shows."""
    height, width = image.shape[:2]
    rows = ((np.arange(ROWS) + 0.5) * height / (2 * ROWS)).astype(int)
    columns = ((np.arange(COLUMNS) + 0.5) * width / COLUMNS).astype(int)
    bits = (image[rows][:, columns, 1] > 128).ravel()
    return int((bits << np.arange(bits.size)).sum())


def write_clip(
    path: Path,
    frames: int = 50,
    *,
    video: str | None = "libx264",
    rate: int = 25,
    size: tuple[int, int] = SIZE_PX,
    options: dict[str, str] | None = None,
    aspect: Fraction | None = None,
    rotate: int | None = None,
    mirror: bool = False,
    sounds: Sequence[np.ndarray] = (),
    sound_codec: str = "aac",
    sound_rate: int = 48_000,
    sound_from_s: float = 0.0,
    video_from_s: float = 0.0,
    default_sound: int | None = None,
    metadata: dict[str, str] | None = None,
    **open_options: object,
) -> Path:
    """Write a clip of numbered pictures with any number of sound tracks.

    Args:
        path: Its suffix chooses the container.
        frames: Number of pictures.
        video: Encoder of the pictures; None: sound alone.
        sounds: (n,) or (channels, n) samples of each sound track in [-1, 1].
        default_sound: Number of the sound track that is flagged as the default one, from 0.
    """
    with av.open(str(path), "w", **open_options) as container:
        container.metadata.update(metadata or {})
        tracks = []
        stream = None
        if video:
            stream = container.add_stream(video, rate=rate, options=options or {"crf": "12"})
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            if aspect:
                stream.codec_context.sample_aspect_ratio = aspect
            if rotate is not None:
                stream.set_display_rotation(rotate, hflip=mirror)
        for number, samples in enumerate(sounds):
            layout = "mono" if samples.ndim == 1 else {1: "mono", 2: "stereo"}[len(samples)]
            track = container.add_stream(sound_codec, rate=sound_rate, layout=layout)
            codec_format = "s16" if sound_codec.startswith("pcm") or sound_codec == "flac" else "fltp"
            if default_sound is not None:
                flag = av.stream.Disposition.default
                track.disposition = flag if number == default_sound else av.stream.Disposition(0)
            tracks.append((track, np.atleast_2d(samples).astype(np.float32)))
        for number in range(frames if stream else 0):
            frame = av.VideoFrame.from_ndarray(picture(number, size))
            frame.time_base = Fraction(1, 90_000)
            frame.pts = round((video_from_s + number / rate) * 90_000)
            container.mux(stream.encode(frame))
        if stream:
            container.mux(stream.encode())
        for track, samples in tracks:
            write_sound(container, track, samples, sound_rate, sound_from_s, codec_format=codec_format)
    return path


def write_sound(
    container,
    track,
    samples: np.ndarray,
    rate: int,
    from_s: float = 0.0,
    clock: float = 1.0,
    codec_format: str = "fltp",
    end: bool = True,
) -> None:
    """Encode (channels, n) samples; stamps run `clock` times as fast as the samples. `end` closes the encoder."""
    piece = 1024
    layout = "mono" if len(samples) == 1 else "stereo"
    for first in range(0, samples.shape[1], piece):
        part = np.ascontiguousarray(samples[:, first : first + piece])
        if codec_format == "s16":
            part = np.ascontiguousarray((part.T.reshape(1, -1) * 32767).astype(np.int16))
        frame = av.AudioFrame.from_ndarray(part, format=codec_format, layout=layout)
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = round(from_s * rate + first * clock)
        container.mux(track.encode(frame))
    if end:
        container.mux(track.encode())


def shift_stamps(source: Path, target: Path, seconds: float, first_packet: int = 0, **open_options: object) -> Path:
    """Copy a clip packet by packet, the stamps from `first_packet` on later by `seconds`; no encoder runs."""
    with av.open(str(source)) as old, av.open(str(target), "w", **open_options) as new:
        streams = {s.index: new.add_stream_from_template(s) for s in old.streams}
        for number, packet in enumerate(old.demux()):
            if packet.dts is None:
                continue
            ticks = round(seconds / packet.time_base) if number >= first_packet else 0
            packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
            packet.stream = streams[packet.stream.index]
            new.mux(packet)
    return target


def join(target: Path, *sources: Path) -> Path:
    """Transport streams one after the other, as ``cat`` joins them."""
    target.write_bytes(b"".join(source.read_bytes() for source in sources))
    return target
