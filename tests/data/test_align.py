"""Shards are written in pieces, with the same content as from whole sessions in memory."""

import os

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from damamba.config import AlignParams, CueParams
from damamba.console import InputError
from damamba.corpus.manifest import Manifest, Participant
from damamba.data.align import align_all
from damamba.data.causality import delay_of, require_causal
from damamba.data.grid import hold, resample
from damamba.data.moments import ChannelMoments
from damamba.data.shard_writer import write_shard_in_pieces
from damamba.data.shards import Aligned, Shard, shard_moments
from damamba.data.stream_on_grid import StreamOnGrid
from damamba.streams.reader import StoredStream
from damamba.streams.store import write_stream
from damamba.streams.stream import FeatureStream
from tests.conftest import serially


def stored(path, n, width=2, rate_hz=25.0, share=0.7, seed=0, lookahead_s=None):
    rng = np.random.default_rng(seed)
    t_s = np.arange(n) / rate_hz + rng.uniform(-0.2, 0.2, n) / rate_hz
    valid = rng.random(n) < share
    x = np.where(valid[:, None], rng.normal(size=(n, width)), np.nan).astype(np.float32)
    names = tuple(map(str, range(width)))
    score = valid.astype(np.float32)
    write_stream(path, FeatureStream(t_s, x, valid, score, rate_hz, names, "test", lookahead_s=lookahead_s))
    return t_s, x, valid


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    n=st.integers(0, 90),
    share=st.sampled_from([0.0, 0.1, 0.6, 1.0]),
    piece=st.integers(1, 70),
    rate_hz=st.sampled_from([25, 100]),
    seed=st.integers(0, 99),
)
def test_pieces_of_the_grid_are_pieces_of_the_whole(tmp_path, n, share, piece, rate_hz, seed):
    t_s, x, valid = stored(tmp_path / "s.parquet", n, share=share, seed=seed)
    grid_s = np.arange(int(1.2 * n * rate_hz / 25) + 3) / rate_hz
    whole = resample(t_s, x, valid, grid_s, 0.2, 25.0)
    with StoredStream(tmp_path / "s.parquet", "") as stream:
        on_grid = StreamOnGrid(stream, AlignParams(rate_hz=rate_hz, max_gap_s=0.2))
        pieces = [on_grid.frames(a, min(a + piece, len(grid_s))) for a in range(0, len(grid_s), piece)]
    for i in (0, 1):
        np.testing.assert_array_equal(np.concatenate([p[i] for p in pieces]), whole[i])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    n=st.integers(0, 90),
    piece=st.integers(1, 70),
    rate_hz=st.sampled_from([25, 100]),
    lookahead_s=st.sampled_from([0.0, 0.25]),
    seed=st.integers(0, 99),
)
def test_pieces_of_a_causal_grid_are_pieces_of_the_whole(tmp_path, n, piece, rate_hz, lookahead_s, seed):
    t_s, x, valid = stored(tmp_path / "s.parquet", n, seed=seed, lookahead_s=lookahead_s)
    grid_s = np.arange(int(1.2 * n * rate_hz / 25) + 3) / rate_hz
    known_s = t_s + lookahead_s + (0.03 if rate_hz == 100 else 0)
    whole = hold(known_s, x, valid, grid_s, 0.2, 25.0)
    with StoredStream(tmp_path / "s.parquet", "") as stream:
        on_grid = StreamOnGrid(stream, AlignParams(rate_hz=rate_hz, max_gap_s=0.2, causal=True))
        pieces = [on_grid.frames(a, min(a + piece, len(grid_s))) for a in range(0, len(grid_s), piece)]
    for i in (0, 1):
        np.testing.assert_array_equal(np.concatenate([p[i] for p in pieces]), whole[i])


def test_frames_of_a_label_end_at_its_time(tmp_path):
    """The score of label k is a mean over grid frames 4 k to 4 k + 3, and depends on nothing after k / 25."""
    n = 20
    t_s, ones = np.arange(n) * 0.01, np.ones(n, bool)
    stream = FeatureStream(t_s, t_s[:, None].astype("f4"), ones, ones.astype("f4"), 100.0, ("t",), "t", lookahead_s=0.0)
    write_stream(tmp_path / "s.parquet", stream)
    with StoredStream(tmp_path / "s.parquet", "") as stored_stream:
        x, seen = StreamOnGrid(stored_stream, AlignParams(rate_hz=100, max_gap_s=0.2, causal=True)).frames(0, 20)
    latest = np.where(seen, x[:, 0], -1).reshape(-1, 4).max(1)
    np.testing.assert_allclose(latest, np.arange(5) * 0.04, atol=1e-6)


def test_row_groups_are_joined_where_a_piece_crosses_them(tmp_path):
    _, x, _ = stored(tmp_path / "s.parquet", 7000, width=3)
    with StoredStream(tmp_path / "s.parquet", "") as stream:
        for first, stop in ((0, 7000), (2990, 3010), (2999, 6001), (6999, 7000), (5, 5)):
            np.testing.assert_array_equal(stream.rows(first, stop), x[first:stop])


def test_a_shard_of_several_batches_has_the_moments_of_the_whole(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(3, 2, (13_000, 4)).astype(np.float32)
    x[12_345, 2] = 2.6e5  # beyond halves, in the last batch
    valid = rng.random(13_000) < 0.8
    valid[12_345] = True
    write_shard_in_pieces(tmp_path / "p", ("a",), 13_000, lambda _, a, b: (x[a:b], valid[a:b]), "key")
    shard = Shard(tmp_path / "p.arrow")
    values, seen = shard.read("a", 0, 13_000)
    np.testing.assert_array_equal(values[valid], x[valid])
    np.testing.assert_array_equal(seen, valid)
    frames = torch.ones(12_500, 4)
    np.testing.assert_array_equal(shard.read_into(frames, "a", 300, 12_800), valid[300:12_800])
    np.testing.assert_array_equal(frames, np.where(valid[:, None], x, 0)[300:12_800])
    moments, whole = shard_moments(tmp_path / "p.arrow", "a"), ChannelMoments.of(x, valid)
    assert moments.n == whole.n
    np.testing.assert_allclose(moments.mean, whole.mean, rtol=1e-12)
    np.testing.assert_allclose(moments.std, whole.std, rtol=1e-12)


@pytest.mark.parametrize("n_frames", [0, 1])
def test_the_shortest_sessions_have_shards(tmp_path, n_frames):
    x, valid = np.ones((n_frames, 2), np.float32), np.ones(n_frames, bool)
    write_shard_in_pieces(tmp_path / "p", ("a",), n_frames, lambda _, a, b: (x[a:b], valid[a:b]), "key")
    assert shard_moments(tmp_path / "p.arrow", "a").n == n_frames


@pytest.fixture
def aligned(tmp_path):
    """A session of one participant, aligned; calling it aligns the session again."""
    cues = {"a": CueParams(group="audio", extractor="test", reads="corpus")}
    params = AlignParams(rate_hz=100, max_gap_s=0.2)
    person = Participant("own", "s", "dr.p", "p", "train", "en", "p", "", "", "", duration_s=2.0)
    stored(person.shard(tmp_path / "features/a"), 50)

    def again() -> Aligned:
        align_all(
            cues,
            params,
            "as given",
            Manifest((person,)),
            tmp_path / "features",
            tmp_path / "corpus",
            tmp_path / "out",
            lambda function, tasks: [function(task) for task in tasks],
        )
        return Aligned.read(tmp_path / "out")

    again()
    return again


@pytest.mark.parametrize("suffix", [".arrow", ".parquet"])
def test_a_shard_that_was_changed_on_disk_is_made_again(aligned, suffix):
    first = aligned()
    shard = first.root / f"own/s/dr.p{suffix}"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    if suffix == ".arrow":
        with pytest.raises(InputError, match=r"dr\.p\.arrow: damaged.*dvc repro -f align"):
            first.verify()
    second = aligned()
    assert second.sha256 == first.sha256
    second.verify()


def test_damage_that_keeps_size_and_time_is_found_by_every_reader(aligned):
    index = aligned()
    readers = {
        "own/s/dr.p.arrow": lambda: index.shard(index.sessions[0], "dr.p"),
        "own/s/dr.p.label.arrow": lambda: index.labels(index.sessions[0], "dr.p"),
        "statistics.safetensors": index.statistics,
        "index.json": lambda: Aligned.read(index.root),
    }
    for name, read in readers.items():
        path = index.root / name
        before, content = path.stat(), path.read_bytes()
        path.write_bytes(content[:-9] + bytes([content[-9] ^ 2]) + content[-8:])
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        with pytest.raises(InputError, match=f"{path.name}: damaged.*dvc repro -f align"):
            read()
        path.write_bytes(content)
        read()


def test_labels_that_are_gone_are_not_taken_for_missing_annotation(tmp_path):
    person = Participant("own", "s", "p", "p", "train", "en", "p", "", "", "anna.csv", duration_s=2.0)
    stored(person.shard(tmp_path / "features/a"), 50)
    cues = {"a": CueParams(group="audio", extractor="test", reads="corpus")}
    with pytest.raises(InputError, match=r"labels/own/s/p\.parquet: missing; make it: dvc repro -f ingest"):
        align_all(
            cues,
            AlignParams(rate_hz=100, max_gap_s=0.2),
            "as given",
            Manifest((person,)),
            tmp_path / "features",
            tmp_path / "corpus",
            tmp_path / "out",
            lambda function, tasks: [function(task) for task in tasks],
        )


def align_one(folder, lookahead_s, causal):
    """Shards of one participant."""
    cues = {"a": CueParams(group="audio", extractor="test", reads="corpus")}
    person = Participant("own", "s", "p", "p", "train", "en", "p", "", "", "", duration_s=2.0)
    stored(person.shard(folder / "features/a"), 50, lookahead_s=lookahead_s)
    params = AlignParams(rate_hz=100, max_gap_s=0.2, causal=causal)
    align_all(
        cues, params, "as given", Manifest((person,)), folder / "features", folder / "corpus", folder / "out", serially
    )
    return Aligned.read(folder / "out")


def test_a_causal_grid_refuses_a_cue_that_depends_on_its_whole_recording(tmp_path):
    with pytest.raises(InputError, match=r"features/a: .*whole recording.*cues\.a\.causal: true.*dvc repro extract@a"):
        align_one(tmp_path, None, causal=True)
    assert not list(tmp_path.rglob("*.arrow"))


def test_the_index_has_the_lookahead_of_its_cues_and_a_causal_model_takes_no_other_shards(tmp_path):
    index = align_one(tmp_path / "causal", 0.25, causal=True)
    assert (index.causal, index.cues["a"].lookahead_s) == (True, 0.25)
    require_causal(index, True)
    assert delay_of(index, ["a"], 25) == {"score_s": 0.0, "cues_s": {"a": 0.28}, "total_s": 0.28}
    assert delay_of(index, ["a"], 100)["score_s"] == 0
    assert delay_of(index, ["a"], 5)["total_s"] == 0.52
    other = align_one(tmp_path / "other", 0.25, causal=False)
    require_causal(other, False)
    with pytest.raises(
        InputError, match=r"other/out/index\.json: .*causal: true.*align\.causal: true.*dvc repro align"
    ):
        require_causal(other, True)
