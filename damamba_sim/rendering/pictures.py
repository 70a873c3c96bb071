"""Pictures of the simulated media: a contact sheet of faces, and spectrograms with their phrases."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
import pyarrow.parquet as pq
from matplotlib.figure import Figure
from numpy.typing import NDArray

from damamba.files import whole_file
from damamba.media.decode import read_frames
from damamba.media.sound import read_waveform
from damamba.svg import house_style, light
from damamba_sim.compiled import own_cache
from damamba_sim.rendering.participants import FilmedParticipant

COLUMNS, ROWS = 4, 4
TILE_PX = (288, 216)
EXTREMES = (("smile", 1), ("mouth", 1), ("yaw", 1), ("gaze_x", -1), ("brow", 1), ("hand", 1), ("pitch", 1), ("eye", -1))
"""Channel whose maximum (1) or minimum (-1) a tile shows, for each tile in turn."""
SECONDS = 12.0
"""How much of a session the spectrograms show."""


def contact_sheet(participants: Sequence[FilmedParticipant], path: Path) -> None:
    """Write a JPEG of up to 16 people from all corpora, each showing the extreme of another channel.

    Raises:
        InputError: A video cannot be decoded.
    """
    at = np.linspace(0, len(participants) - 1, min(COLUMNS * ROWS, len(participants))).round().astype(int)
    tiles = [_tile(participants[k], *EXTREMES[n % len(EXTREMES)]) for n, k in enumerate(at.tolist())]
    tiles += [np.full((TILE_PX[1], TILE_PX[0], 3), 255, np.uint8)] * (-len(tiles) % COLUMNS)
    rows = [np.concatenate(tiles[k : k + COLUMNS], axis=1) for k in range(0, len(tiles), COLUMNS)]
    sheet = cv2.cvtColor(np.concatenate(rows), cv2.COLOR_RGB2BGR)
    done, packed = cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, 86])
    assert done
    with whole_file(path) as temporary:
        temporary.write_bytes(packed.tobytes())


def _tile(participant: FilmedParticipant, channel: str, sign: int) -> NDArray[np.uint8]:
    truth = pq.read_table(participant.truth, columns=["t_s", channel, "present"])
    value = np.where(truth["present"].to_numpy(), sign * truth[channel].to_numpy(), -np.inf)
    wanted_s = float(truth["t_s"].to_numpy()[int(value.argmax())])
    best = next(read_frames(participant.video))
    for frame in read_frames(participant.video):
        if abs(frame.t_s - wanted_s) < abs(best.t_s - wanted_s):
            best = frame
        if frame.t_s > wanted_s:
            break
    return np.asarray(cv2.resize(best.image, TILE_PX, interpolation=cv2.INTER_AREA), np.uint8)


def spectrogram(participants: Sequence[FilmedParticipant], path: Path) -> None:
    """Write a PNG of the first seconds of a session: each participant's spectrogram, with the true phrases above it.

    Raises:
        InputError: A sound cannot be decoded.
    """
    own_cache()
    import librosa

    with house_style():
        figure = Figure(figsize=(9, 1.1 + 1.75 * len(participants)), layout="constrained")
        all_axes = np.ravel(figure.subplots(len(participants), 1, sharex=True))
        for axes, filmed in zip(all_axes, participants, strict=True):
            wave = read_waveform(filmed.sound)
            samples = wave.samples[: int(SECONDS * wave.rate_hz)]
            power = np.abs(librosa.stft(samples, n_fft=512, hop_length=320)) ** 2
            level_db = librosa.power_to_db(power, ref=float(power.max()), top_db=50)
            extent = (0, len(samples) / wave.rate_hz, 0, wave.rate_hz / 2000)
            axes.imshow(
                level_db,
                origin="lower",
                aspect="auto",
                extent=extent,
                cmap=mpl.colormaps["magma"].resampled(32),
                interpolation="nearest",
            )
            for start_s, end_s, is_backchannel in _spoken(filmed.truth, extent[1]):
                colour = light("orange") if is_backchannel else light("blue")
                axes.broken_barh([(start_s, end_s - start_s)], (8.25, 0.55), facecolor=colour, linewidth=0)
            axes.grid(False)
            axes.set_ylim(0, 9)
            axes.set_yticks([0, 2, 4, 6, 8])
            axes.set_ylabel(f"{filmed.participant}\nkHz")
        axes.set_xlabel("s; above each spectrogram the true phrases (blue) and backchannels (orange)")
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as temporary:
            figure.savefig(temporary, format="png", dpi=100, metadata={"Software": None})


def _spoken(truth: Path, seconds: float) -> list[tuple[float, float, bool]]:
    """(start, end, whether it is a backchannel) of each stretch of speech before `seconds`."""
    table = pq.read_table(truth, columns=["t_s", "speech", "backchannel", "voice_pitch"])
    t_s, speech, backchannel, pitch = (table[name].to_numpy() for name in table.column_names)
    edges = np.flatnonzero((np.diff(speech) != 0) | (np.diff(pitch) != 0)) + 1
    spans = [(a, b) for a, b in pairwise([0, *edges.tolist(), len(t_s)]) if speech[a] > 0 and t_s[a] < seconds]
    return [(float(t_s[a]), min(float(t_s[b - 1]) + 0.02, seconds), bool(backchannel[a] > 0)) for a, b in spans]
