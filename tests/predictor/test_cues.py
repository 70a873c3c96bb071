"""Cues without a model: what the pipeline's extractors give, as objects and as files."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from huggingface_hub import constants

import damamba
from damamba.console import InputError
from damamba.predictor import SHIPPED
from damamba.predictor.cues import chosen_cues
from damamba.predictor.load import model_folder

DYAD = Path(__file__).parents[2] / "examples/dyad"


@pytest.fixture(scope="module")
def extraction():
    """Of the example, in this process."""
    return damamba.extract(DYAD / "expert.mp4", DYAD / "novice.mp4", cues=["expression", "emotion"])


def test_everyone_has_every_cue_at_its_own_rate(extraction):
    assert {(one.participant, one.cue) for one in extraction.cues} == {
        (person, cue) for person in ("expert", "novice") for cue in ("expression", "emotion")
    }
    for cue, rate_hz in (("expression", 25), ("emotion", 10)):
        stream = extraction.of("expert", cue).stream
        assert np.median(np.diff(stream.t_s)) == pytest.approx(1 / rate_hz, rel=0.01)
        assert stream.t_s[-1] == pytest.approx(18, abs=0.2)


def test_what_was_not_observed_is_null_and_empty(extraction, tmp_path):
    one = extraction.of("novice", "expression")
    valid = one.stream.valid
    assert 0 < valid.sum() < len(valid)  # the camera lost the face for a while
    table = one.to_arrow()
    for channel in one.stream.channels:
        assert np.array_equal(table[channel].is_valid().to_numpy(), valid)
    parquet, text = one.write(tmp_path)
    assert pq.read_table(parquet).equals(table)
    with text.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["valid"] == "1" for row in rows] == valid.tolist()
    first = one.stream.channels[0]
    assert [row[first] != "" for row in rows] == valid.tolist()
    written = [float(row[first]) for row in rows if row[first]]
    np.testing.assert_allclose(written, np.asarray(one.stream.x)[valid, 0], rtol=1e-5, atol=1e-30)


def test_a_cue_that_nobody_has_is_left_out_and_named(tmp_path):
    import av

    with av.open(str(DYAD / "expert.mp4")) as source, av.open(str(tmp_path / "mute.mp4"), "w") as silent:
        out = silent.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = out
                silent.mux(packet)
    found = damamba.extract(tmp_path / "mute.mp4", cues=["expression", "emotion"])
    assert [one.cue for one in found.cues] == ["expression"]
    assert any(note.startswith("emotion: left out") for note in found.notes)
    with pytest.raises(InputError, match="there is nothing to compute"):
        damamba.extract(tmp_path / "mute.mp4", cues=["emotion"])


def test_presets_and_cues_that_are_not_there_are_named():
    assert "expression" in chosen_cues("real", None)
    with pytest.raises(InputError, match="no cue 'gaze' in the preset real; there are whisper"):
        chosen_cues("real", ["gaze"])
    with pytest.raises(InputError, match="no preset 'reel'"):
        chosen_cues("reel", None)
    for preset in ("paper", "multimediate"):
        with pytest.raises(InputError, match="no cues of videos"):
            chosen_cues(preset, None)


def test_a_model_is_loaded_from_a_folder_or_from_the_cache_of_the_hub(tmp_path, monkeypatch):
    assert damamba.load().widths == damamba.load(SHIPPED).widths
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    revision = "0123456789012345678901234567890123456789"
    shutil.copytree(SHIPPED, tmp_path / "models--somebody--engagement/snapshots" / revision)
    assert damamba.load("somebody/engagement", revision).widths == damamba.load().widths
    assert model_folder("data/models/da_mamba-0") == Path("data/models/da_mamba-0")
    with pytest.raises(InputError, match="not found; train a model"):
        damamba.load("data/models/nobody-0")
    with pytest.raises(InputError, match="no such folder, and no such model could be fetched from the hub"):
        damamba.load("models/nobody-0")


def test_a_second_call_keeps_the_work_of_the_first(tmp_path):
    damamba.extract(DYAD / "expert.mp4", cues=["emotion"], out=tmp_path)
    shard = next((tmp_path / ".damamba/features/emotion").rglob("expert*.parquet"))
    made = shard.stat().st_mtime_ns
    damamba.extract(DYAD / "novice.mp4", cues=["emotion"], out=tmp_path)
    damamba.extract(DYAD / "expert.mp4", cues=["emotion"], out=tmp_path)
    assert shard.stat().st_mtime_ns == made
