"""Probes of encoders: what is planted is found, on people who were left out."""

import numpy as np
import pytest

from benchmarks import probes
from damamba.console import InputError
from damamba.streams.stream import FeatureStream
from tests.conftest import make_wav


def clips(rng: np.random.Generator) -> list[probes.Clip]:
    """Two clips of each of three people: a row that holds the target, and one that holds none of it."""
    found = []
    for person in "aabbcc":
        truth = rng.normal(size=(80, 1))
        rows = {"holds": truth @ [[2.0, -1.0]] + 5 + 0.1 * rng.normal(size=(80, 2)), "empty": rng.normal(size=(80, 2))}
        rows["holds"][:5], truth[-5:] = np.nan, np.nan
        found.append(probes.Clip(person, rows, truth))
    return found


def test_a_target_is_found_in_the_rows_that_hold_it_alone():
    made = clips(np.random.default_rng(0))
    assert min(probes.correlations(made, "holds", 0, False)) > 0.95
    assert max(map(abs, probes.correlations(made, "empty", 0, False))) < 0.3
    for clip in made:
        clip.truth[:] = np.where(np.isfinite(clip.truth), clip.truth > 0, np.nan)
    assert probes.area_under_curve(made, "holds", 0) > 0.95
    assert abs(probes.area_under_curve(made, "empty", 0) - 0.5) < 0.15


def test_what_is_known_of_a_person_alone_does_not_count():
    """Rows that name the person, and a target that is the person's own: nothing is left for somebody else."""
    rng = np.random.default_rng(1)
    made = []
    for k, person in enumerate("abcdef"):
        one_hot = np.tile(np.eye(6)[k], (60, 1)) + 1e-3 * rng.normal(size=(60, 6))
        made.append(
            probes.Clip(person, {"who": one_hot}, np.full((60, 1), float(k % 2)) + rng.normal(size=(60, 1)) / 9)
        )
    assert probes.correlations(made, "who", 0, False)[0] < 0.3


def test_recall_is_of_speakers_who_were_left_out():
    rng = np.random.default_rng(2)
    speakers, labels = np.repeat(list("abcd"), 12), np.tile(list("xyz"), 16)
    own = np.repeat(rng.normal(size=(4, 3)) * 9, 12, 0)
    x = np.array(["xyz".index(label) for label in labels])[:, None] == np.arange(3)
    assert probes.recall(x + own + 0.1 * rng.normal(size=(48, 3)), labels, speakers, True) > 0.9
    assert probes.recall(rng.normal(size=(48, 3)), labels, speakers, False) < 0.6


def test_rows_that_are_not_valid_or_far_away_stay_missing():
    stream = FeatureStream(
        t_s=np.array([0.0, 0.1, 0.2]), x=np.arange(3, dtype=np.float32)[:, None], valid=np.array([True, False, True]),
        score=np.ones(3, np.float32), rate_hz=10.0, channels=("a",), extractor="e",
    )  # fmt: skip
    assert probes.on_clock(stream, np.array([0.01, 0.11, 0.19, 0.5]))[:, 0].tolist() == pytest.approx(
        [0.0, np.nan, 2.0, np.nan], nan_ok=True
    )


def test_one_person_is_refused():
    with pytest.raises(InputError, match="one person"):
        probes.folds_of(["a", "a"])


def test_a_table_without_speakers_is_refused(tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text("file,label\na.wav,happy\n")
    with pytest.raises(InputError, match="no column speaker"):
        probes.labelled(tmp_path, table)
    table.write_text("file,speaker,label\na.wav,s,happy\n")
    with pytest.raises(InputError, match=r"line 2: no file a\.wav"):
        probes.labelled(tmp_path, table)


def test_speech_without_labels_is_probed_for_pitch_and_the_table_tells_so(tmp_path):
    rng = np.random.default_rng(3)
    for speaker, low_hz in (("a", 100), ("b", 180)):
        for take in range(2):
            t_s = np.arange(40_000) / 16_000
            f0_hz = low_hz * (1.3 + 0.3 * np.sin(4 * t_s + take))
            phase = 2 * np.pi * np.cumsum(f0_hz) / 16_000
            voice = sum(np.sin(k * phase) / k for k in range(1, 9)) * ((t_s % 0.8) < 0.6)
            (tmp_path / speaker).mkdir(exist_ok=True)
            make_wav(tmp_path / speaker / f"{take}.wav", 0.1 * voice + 1e-3 * rng.normal(size=len(voice)))
    files, speakers, labels = probes.labelled(tmp_path, None)
    assert speakers == ["a", "a", "b", "b"]
    assert labels is None
    made, tokens = probes.voices(dict(zip(files, speakers, strict=True)), {}, 4)
    lines = probes.voices_table(made, tokens, labels, speakers)
    row = next(line for line in lines if line.startswith("| log-mel 80"))
    assert row.split(" | ")[2] == "–"
    assert float(row.split(" | ")[3]) > 0.9  # voiced
