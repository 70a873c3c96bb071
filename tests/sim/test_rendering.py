import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from damamba.streams.face_track import CHANNELS
from damamba.streams.store import write_stream
from damamba.streams.stream import FeatureStream
from damamba_sim.rendering.comparison import VARIES, Take, fidelity, observe
from damamba_sim.voices.sound import write_wav

SECONDS, RATE_HZ = 20, 25
N = SECONDS * RATE_HZ
UPPER, LOWER, CORNERS = (159, 386), (145, 374), (33, 133, 362, 263)


def drift(rng, tau_s=0.4):
    kernel = np.exp(-np.arange(200) / (tau_s * RATE_HZ))
    series = np.convolve(rng.normal(size=N + 400), kernel, "same")[200 : N + 200]
    return (series - series.mean()) / series.std()


def take_of(folder: Path, seed: int, keeps: float = 1.0, corpus: str = "noxi") -> Take:
    """Somebody whose lids, lips and head move as the truth says, as far as `keeps`; and a voice of a buzz."""
    rng = np.random.default_rng(seed)
    t_s = np.arange(N) / RATE_HZ
    truth = {name: drift(rng) for name in VARIES} | {"eye": 0.6 + 0.15 * drift(rng)}
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
    found = truth["present"].astype(bool)
    x = np.concatenate([np.zeros((N, 4)), head.reshape(N, 16), marks.reshape(N, -1)], axis=1).astype(np.float32)
    x[~found] = np.nan
    stream = FeatureStream(t_s, x, found, found.astype(np.float32), 25.0, CHANNELS, "face_landmarker", "m", "r")
    track = folder / f"{seed}-faces.parquet"
    write_stream(track, replace(stream, key="k"))

    gain = np.repeat(np.where(spoken, 10 ** (level_db / 20), 0), 640)
    phase = 2 * np.pi * np.cumsum(np.repeat(f0_hz, 640)) / 16_000
    sound = gain * sum(np.sin(k * phase) for k in range(1, 9)) / 2 + rng.normal(0, 1e-4, len(phase))
    write_wav(folder / f"{seed}.wav", [sound])
    table = {"t_s": t_s, **truth}
    pq.write_table(pa.table({name: pa.array(column) for name, column in table.items()}), folder / f"{seed}.parquet")
    return Take(corpus, f"{corpus}/{seed}/expert", folder / f"{seed}.parquet", track, folder / f"{seed}.wav", ())


@pytest.fixture(scope="module")
def observed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("takes")
    return [observe(take_of(folder, seed)) for seed in range(5)] + [observe(take_of(folder, 9, keeps=0.2))]


def test_what_is_in_the_files_is_found_and_what_is_not_is_not(observed):
    found = fidelity(observed)["noxi"]
    good = [found["by_person"][f"noxi/{seed}/expert"] for seed in range(5)]
    for name in ("eye", "yaw", "pitch"):
        assert min(person[name] for person in good) > 0.93, name
        assert found["by_person"]["noxi/9/expert"][name] < 0.7, name
        assert found["channels"][name]["lowest"] == "noxi/9/expert"
    for name in ("gaze_x", "smile", "roll"):  # the landmarks do not show them
        assert max(abs(person[name]) for person in good) < 0.5, name
    for name in ("speech", "voice_pitch", "loudness"):
        assert found["channels"][name]["minimum"] > 0.9, name


def test_faces_are_counted_by_what_the_truth_says_of_them(observed):
    found = fidelity(observed)["noxi"]
    assert found["frames"] == {"visible": 6 * (N - 60), "absent": 6 * 50, "between": 6 * 10}
    assert found["found"] == {"visible": 1.0, "absent": 0.0, "between": 1.0}


def test_a_reader_is_never_tried_on_whom_it_was_fitted_on(observed):
    alone = fidelity(observed[:1])["noxi"]
    assert "eye" not in alone["channels"]
    assert "loudness" in alone["channels"]


def test_a_channel_that_hardly_varies_is_left_out(tmp_path):
    take = take_of(tmp_path, 1)
    table = pq.read_table(take.truth)
    still = pa.array(np.full(N, 0.7))
    pq.write_table(table.set_column(table.column_names.index("eye"), "eye", still), take.truth)
    others = [observe(take_of(tmp_path, seed)) for seed in (2, 3)]
    found = fidelity([observe(take), *others])["noxi"]
    assert found["channels"]["eye"]["persons"] == 2
    assert found["channels"]["yaw"]["persons"] == 3


def test_in_front_of_a_room_microphone_only_what_is_heard_of_one_alone_counts(tmp_path):
    take, other = take_of(tmp_path, 1), take_of(tmp_path, 2)
    with wave.open(str(take.sound)) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
    t_s = np.arange(N) / RATE_HZ
    answers = (t_s % 3 >= 2) & (t_s < 12)  # the other speaks in most of this one's pauses
    truth = pq.read_table(other.truth)
    pq.write_table(truth.set_column(truth.column_names.index("speech"), "speech", pa.array(answers)), other.truth)
    other_sound = 0.2 * np.random.default_rng(3).normal(size=len(sound)) * np.repeat(answers, 640)
    write_wav(take.sound, [sound + other_sound])
    blind, honest = observe(take), observe(replace(take, others=(other.truth,)))
    assert honest.voice["speech"] > 0.9 > blind.voice["speech"] + 0.2
