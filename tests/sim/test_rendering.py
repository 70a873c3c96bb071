import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from damamba.streams.face_track import CHANNELS, SHAPES
from damamba.streams.store import write_stream
from damamba.streams.stream import FeatureStream
from damamba_sim.rendering.comparison import CHANNELS as COMPARED
from damamba_sim.rendering.comparison import compare, rendering_results
from damamba_sim.rendering.participants import FilmedParticipant
from damamba_sim.voices.sound import write_wav

SECONDS, RATE_HZ = 20, 25
N = SECONDS * RATE_HZ
UPPER, LOWER, CORNERS = (159, 386), (145, 374), (33, 133, 362, 263)


def drift(rng, tau_s=0.4):
    kernel = np.exp(-np.arange(200) / (tau_s * RATE_HZ))
    series = np.convolve(rng.normal(size=N + 400), kernel, "same")[200 : N + 200]
    return (series - series.mean()) / series.std()


def write_participant(folder: Path, seed: int, keeps: float = 1.0) -> FilmedParticipant:
    """Files of a participant whose lids and head follow the truth to the degree `keeps`, with a buzz for a voice."""
    rng = np.random.default_rng(seed)
    t_s = np.arange(N) / RATE_HZ
    truth = {name: drift(rng) for name in COMPARED} | {"eye": 0.6 + 0.15 * drift(rng)}
    truth |= {"yaw": 8 * drift(rng), "pitch": 4 * drift(rng), "roll": 4 * drift(rng)}
    truth |= {"present": np.arange(N) < N - 50, "visible": np.arange(N) < N - 60}
    spoken = (t_s % 3) < 2
    f0_hz = 120 * 2 ** (np.repeat(rng.normal(size=SECONDS // 2), 2 * RATE_HZ) * 2 / 12)
    level_db = -25 + np.repeat(rng.normal(size=SECONDS), RATE_HZ) * 3
    truth |= {"speech": spoken, "voice_f0": np.where(spoken, f0_hz, 0), "voice_level": np.where(spoken, level_db, -80)}

    def seen(name):
        return keeps * truth[name] + (1 - keeps) * truth[name].std() * drift(rng)

    marks = np.tile(rng.uniform(200, 400, (478, 2)), (N, 1, 1))
    marks[:, CORNERS] = [[250, 220], [290, 220], [330, 220], [370, 220]]
    marks[:, UPPER, 1] = 225 - 20 * seen("eye")[:, None]
    marks[:, LOWER, 1] = 225
    marks += rng.normal(0, 0.05, marks.shape)
    yaw, pitch = np.radians(seen("yaw")), np.radians(seen("pitch"))
    head = np.tile(np.eye(4), (N, 1, 1))
    head[:, 0, 2], head[:, 2, 2], head[:, 1, 2] = (
        np.sin(yaw) * np.cos(pitch),
        np.cos(yaw) * np.cos(pitch),
        -np.sin(pitch),
    )
    has_face = truth["present"].astype(bool)
    box, shapes = np.zeros((N, 4)), np.zeros((N, len(SHAPES)))
    x = np.concatenate([box, head.reshape(N, 16), shapes, marks.reshape(N, -1)], axis=1).astype(np.float32)
    x[~has_face] = np.nan
    stream = FeatureStream(t_s, x, has_face, has_face.astype(np.float32), 25.0, CHANNELS, "face_landmarker", "m", "r")
    track = folder / f"{seed}-faces.parquet"
    write_stream(track, replace(stream, key="k"))

    gain = np.repeat(np.where(spoken, 10 ** (level_db / 20), 0), 640)
    phase = 2 * np.pi * np.cumsum(np.repeat(f0_hz, 640)) / 16_000
    sound = gain * sum(np.sin(k * phase) for k in range(1, 9)) / 2 + rng.normal(0, 1e-4, len(phase))
    write_wav(folder / f"{seed}.wav", [sound])
    table = {"t_s": t_s, **truth}
    pq.write_table(pa.table({name: pa.array(column) for name, column in table.items()}), folder / f"{seed}.parquet")
    return FilmedParticipant(
        corpus="noxi",
        session=str(seed),
        participant="expert",
        truth=folder / f"{seed}.parquet",
        video=folder / "none.mp4",
        sound=folder / f"{seed}.wav",
        face_track=track,
        truth_of_others=(),
    )


@pytest.fixture(scope="module")
def comparisons(tmp_path_factory):
    folder = tmp_path_factory.mktemp("participants")
    good = [compare(write_participant(folder, seed)) for seed in range(5)]
    return [*good, compare(write_participant(folder, 9, keeps=0.2))]


def test_channels_in_the_files_are_measured_and_others_are_not(comparisons):
    results = rendering_results(comparisons)["noxi"]
    good = [results["by_person"][f"noxi/{seed}/expert"] for seed in range(5)]
    for name in ("eye", "yaw", "pitch"):
        assert min(person[name] for person in good) > 0.93, name
        assert results["by_person"]["noxi/9/expert"][name] < 0.7, name
        assert results["channels"][name]["minimum_person"] == "noxi/9/expert"
    for name in ("gaze_x", "smile", "roll"):  # the landmarks do not show them
        assert max(abs(person[name]) for person in good) < 0.5, name
    for name in ("speech", "voice_pitch", "loudness"):
        assert results["channels"][name]["minimum"] > 0.9, name


def test_faces_are_counted_by_whether_they_are_visible(comparisons):
    results = rendering_results(comparisons)["noxi"]
    assert results["frames"] == {"visible": 6 * (N - 60), "absent": 6 * 50, "between": 6 * 10}
    assert results["faces_found"] == {"visible": 1.0, "absent": 0.0, "between": 1.0}


def test_a_reader_is_never_tested_on_people_on_whom_it_was_fitted(comparisons):
    alone = rendering_results(comparisons[:1])["noxi"]
    assert "eye" not in alone["channels"]
    assert "loudness" in alone["channels"]


def test_a_channel_that_hardly_varies_is_left_out(tmp_path):
    participant = write_participant(tmp_path, 1)
    table = pq.read_table(participant.truth)
    still = pa.array(np.full(N, 0.7))
    pq.write_table(table.set_column(table.column_names.index("eye"), "eye", still), participant.truth)
    others = [compare(write_participant(tmp_path, seed)) for seed in (2, 3)]
    results = rendering_results([compare(participant), *others])["noxi"]
    assert results["channels"]["eye"]["persons"] == 2
    assert results["channels"]["yaw"]["persons"] == 3


def test_with_a_room_microphone_only_frames_without_other_voices_count(tmp_path):
    participant, other = write_participant(tmp_path, 1), write_participant(tmp_path, 2)
    with wave.open(str(participant.sound)) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
    t_s = np.arange(N) / RATE_HZ
    replies = (t_s % 3 >= 2) & (t_s < 12)  # the other speaks in most of this one's pauses
    truth = pq.read_table(other.truth)
    pq.write_table(truth.set_column(truth.column_names.index("speech"), "speech", pa.array(replies)), other.truth)
    other_sound = 0.2 * np.random.default_rng(3).normal(size=len(sound)) * np.repeat(replies, 640)
    write_wav(participant.sound, [sound + other_sound])
    without, with_other = compare(participant), compare(replace(participant, truth_of_others=(other.truth,)))
    assert with_other.voice["speech"] > 0.9 > without.voice["speech"] + 0.2
