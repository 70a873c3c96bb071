"""Planted flashes and clicks come out of decoding, extraction and alignment where they were planted."""

import numpy as np
import pytest

from damamba.config import CorpusParams, Params
from damamba.corpus.manifest import Manifest, Participant
from damamba.data.align import align_all
from damamba.data.shards import Aligned
from damamba.features.extract import extract_all
from damamba.files import sha256
from damamba.ingest.run import ingest
from tests.conftest import frozen_values, make_video, make_wav, serially
from tests.extractors_for_tests import Brightness, Loudness, Settings

SECONDS = 12
FLASHES_S = [1.5, 3.7, 6.1, 9.3, 11.0]
CLICKS_S = [0.803, 2.517, 5.001, 8.889, 11.503]


def frame_times(kind: str) -> np.ndarray:
    rng = np.random.default_rng(4)
    steady = np.arange(SECONDS * 25) / 25
    if kind == "steady":
        return steady
    if kind == "late start":
        return steady[5:]
    if kind == "24.97 Hz":
        return np.arange(int(SECONDS * 24.97)) / 24.97
    t = np.cumsum(rng.choice([0.02, 0.033, 0.05, 0.08], 400))
    return t[t < SECONDS]


@pytest.mark.parametrize("kind", ["steady", "late start", "24.97 Hz", "variable rate"])
@pytest.mark.parametrize("sound_rate_hz", [16_000, 44_100])
def test_flashes_and_clicks_are_where_they_were(tmp_path, monkeypatch, kind, sound_rate_hz):
    monkeypatch.chdir(tmp_path)
    t = frame_times(kind)
    level = np.full(len(t), 0.2)
    planted = []
    for flash in FLASHES_S:
        i = int(np.argmin(np.abs(t - flash)))
        level[i] = 0.9
        planted.append(t[i])
    make_video(tmp_path / "v.mp4", t, level)
    sound = np.zeros((SECONDS * sound_rate_hz, 2))
    for click in CLICKS_S:
        sound[round(click * sound_rate_hz) :][: sound_rate_hz // 500] = 0.8
    make_wav(tmp_path / "a.wav", sound, sound_rate_hz)
    hashes = [sha256(tmp_path / name) for name in ("v.mp4", "a.wav")]
    participant = Participant(
        "own", "s", "p", "p", "train", "en", "x", "v.mp4", "a.wav", "", *hashes, float(t[-1]) + 0.04, 25.0, len(t)
    )
    manifest = Manifest((participant,))
    extract_all(Brightness, Settings(), manifest.participants, tmp_path / "features/clip", serially)
    extract_all(Loudness, Settings(), manifest.participants, tmp_path / "features/wav2vec2", serially)
    params = two_cue_params()
    align_all(
        params.cues,
        params.align,
        "as given",
        manifest,
        tmp_path / "features",
        tmp_path / "corpus",
        tmp_path / "aligned",
        serially,
    )
    aligned = Aligned.read(tmp_path / "aligned")
    session = aligned.sessions[0]
    shard = aligned.shard(session, "p")
    rows = session.n_labels * 4
    light, _ = shard.read("clip", 0, rows)
    loud, heard = shard.read("wav2vec2", 0, rows)
    half_a_frame = np.diff(t).max() / 2
    assert np.abs(peaks(light[:, 0], 120) - planted).max() <= half_a_frame
    assert np.abs(peaks(np.where(heard, loud[:, 0], 0), 0.3) - CLICKS_S).max() <= 0.010
    if kind == "late start":
        assert not shard.read("clip", 0, 17)[1].any()


def peaks(series: np.ndarray, above: float) -> np.ndarray:
    """Centre of each run above a level, s."""
    high = np.nan_to_num(series) > above
    edges = np.flatnonzero(np.diff(np.concatenate([[0], high, [0]]).astype(int)))
    return np.array([(a + b - 1) / 2 / 100 for a, b in zip(edges[::2], edges[1::2], strict=True)])


def two_cue_params() -> Params:
    values = frozen_values()
    values["cues"] = {name: values["cues"][name] for name in ("wav2vec2", "clip")}
    return Params.model_validate(values)


def test_ingest_keeps_late_starts_and_short_sound_and_logs_them(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "recordings"
    root.mkdir()
    make_video(root / "v.mp4", 0.2 + np.arange(100) / 25)
    make_wav(root / "a.wav", 0.1 * np.sin(np.arange(2 * 16_000) / 9))
    (root / "l.csv").write_text("0.5\n" * 104)  # one short of 4.2 s
    (root / "manifest.csv").write_text(
        "session,participant,role,split,language,person,video,audio,label\ns,p,host,train,en,x,v.mp4,a.wav,l.csv\n"
    )
    corpus = two_cue_params().corpus.model_dump()
    corpus |= {"sources": ["folder"], "folder": corpus["folder"] | {"root": str(root)}}
    with caplog.at_level("INFO"):
        ingest(CorpusParams.model_validate(corpus), tmp_path / "corpus", serially)
    manifest = Manifest.read(tmp_path / "corpus/manifest.jsonl")
    assert manifest.participants[0].duration_s == pytest.approx(4.2, abs=0.01)
    logged = caplog.text
    assert "audio cues are not valid from 2.00 s on" in logged
    assert "the picture starts at 0.200 s" in logged
    assert "1 of 105 label frames are not valid" in logged
