import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from damamba.config import WindowParams
from damamba.console import InputError
from damamba.data.batch import TrainingWindows, Window, WindowReader, at_labels, shuffled_labels, tiled
from damamba.data.moments import ChannelMoments
from damamba.data.shard_writer import write_shard
from damamba.data.shards import (
    Aligned,
    AlignedSeat,
    AlignedSession,
    Cue,
    Shard,
    shard_key,
    shard_moments,
    write_labels,
)
from damamba.data.windows import WindowGrid
from damamba.files import check_seal

WIDTHS = {"voice": 3, "face": 2}


def make_aligned(root, sessions=3, n_labels=100, seats=2, rate_hz=100, seed=0):
    """Shards whose values tell session, seat and frame."""
    rng = np.random.default_rng(seed)
    held, files = [], {}
    for s in range(sessions):
        session = AlignedSession(
            "own",
            f"s{s}",
            "train",
            "en",
            n_labels,
            tuple(AlignedSeat(f"p{p}", "host", f"s{s}p{p}", True) for p in range(seats)),
        )
        held.append(session)
        for p in range(seats):
            n = n_labels * rate_hz // 25
            columns = {}
            for cue, width in WIDTHS.items():
                valid = rng.random(n) > 0.1
                x = (s * 10 + p + np.arange(n) / n)[:, None] * np.ones(width, np.float32)
                columns[cue] = (np.where(valid[:, None], x, np.nan).astype(np.float32), valid)
            base = root / "own" / session.session / f"p{p}"
            write_shard(base, columns, "key")
            label = np.linspace(0, 1, n_labels).astype(np.float32)
            write_labels(base.with_suffix(".label.arrow"), label, np.arange(n_labels) % 7 != 3)
    files = {p.relative_to(root).as_posix(): check_seal(p) for p in sorted(root.rglob("*")) if p.is_file()}
    cues = {"voice": Cue("audio", 3, "", "", ""), "face": Cue("visual", 2, "", "", "")}
    return Aligned(root, rate_hz, cues, tuple(held), files)


@pytest.mark.parametrize(("rate_hz", "core", "context"), [(5, 40, 20), (25, 8, 4), (100, 2, 1)])
def test_a_window_of_frames_counts_its_labels(rate_hz, core, context):
    grid = WindowGrid.of(WindowParams(rate_hz=rate_hz, core_frames=8, context_frames=4))
    assert (grid.core, grid.context, grid.frames) == (core, context, 16)
    assert grid.core_frames == slice(4, 12)
    assert isinstance(grid.core, int)


@pytest.mark.parametrize("frames_per_label", [1, 4])
def test_windows_hold_the_sessions_frames_and_nothing_beyond(tmp_path, frames_per_label):
    aligned = make_aligned(tmp_path)
    grid = WindowGrid(8, 8, 25 * frames_per_label)
    reader = WindowReader(aligned, grid)
    session = aligned.sessions[1]
    batch = reader.read([Window(session, 1, -3), Window(session, 0, 40), Window(session, 0, 96)])
    assert batch.cues["voice"].shape == (3, 2, grid.frames, 3)
    assert batch.label.shape == (3, 8)
    # before the session's start and after its end nothing is valid
    assert not batch.valid["voice"][0, :, : 11 * frames_per_label].any()
    assert not batch.valid["voice"][2, :, (8 + 4) * frames_per_label :].any()
    assert batch.label_valid[2, 4:].sum() == 0
    # the target comes first
    assert batch.cues["voice"][0, 0][batch.valid["voice"][0, 0]].min() >= 11
    assert 10 <= batch.cues["voice"][0, 1][batch.valid["voice"][0, 1]].max() < 11
    # frame f of the window stands at label (start - context) + f / frames_per_label
    f = grid.frames // 2
    if batch.valid["voice"][1, 0, f]:
        at = (40 - 8) / 100 + f / frames_per_label / 100
        assert float(batch.cues["voice"][1, 0, f, 0]) == pytest.approx(10 + at, abs=0.02)
    np.testing.assert_allclose(
        batch.label[1][batch.label_valid[1]], np.linspace(0, 1, 100)[40:48][batch.label_valid[1]]
    )
    assert not batch.label_valid[1][(45 - 40)]  # 45 % 7 == 3


def test_a_slow_frame_is_the_mean_of_its_labels_time_and_predictions_come_back_at_labels(tmp_path):
    aligned = make_aligned(tmp_path, rate_hz=25)
    grid = WindowGrid(20, 10, 5)
    assert (grid.labels, grid.frames) == (40, 8)
    reader = WindowReader(aligned, grid)
    session = aligned.sessions[1]
    batch = reader.read([Window(session, 0, 30), Window(session, 0, 3), Window(session, 0, 88)])
    fast = WindowReader(aligned, WindowGrid(20, 10, 25)).read([Window(session, 0, s) for s in (30, 3, 88)])
    x, seen = fast.cues["face"][:, 0].unflatten(1, (8, 5)), fast.valid["face"][:, 0].unflatten(1, (8, 5))
    mean = (x * seen[..., None]).sum(2) / seen.sum(2).clamp(min=1)[..., None]
    torch.testing.assert_close(batch.cues["face"][:, 0], mean)
    assert torch.equal(batch.valid["face"][:, 0], seen.any(2))
    # a straight line over the frames, each in the middle of its five labels, is that line at the labels
    line = (torch.arange(8.0) * 5 + 2).expand(3, 8)
    torch.testing.assert_close(at_labels(line, grid), torch.arange(10.0, 30).expand(3, 20))


def test_tiling_covers_each_label_once(tmp_path):
    aligned = make_aligned(tmp_path, sessions=1)
    reader = WindowReader(aligned, WindowGrid(32, 8, 25))
    labels = torch.cat([batch.label_valid for batch in tiled(reader, aligned.sessions[0], 0, 3)])
    stitched = reader.grid.stitch(labels.numpy(), 100)
    np.testing.assert_array_equal(stitched, np.arange(100) % 7 != 3)


def test_windows_across_batches_of_a_long_shard_are_whole(tmp_path):
    aligned = make_aligned(tmp_path, sessions=1, n_labels=2000)  # 8000 rows: two Arrow batches
    shard = aligned.shard(aligned.sessions[0], "p0")
    values, valid = shard.read("face", 5990, 6010)
    assert values.shape == (20, 2)
    whole = np.concatenate([shard.read("face", 0, 6000)[0], shard.read("face", 6000, 8000)[0]])
    np.testing.assert_array_equal(values, whole[5990:6010])
    assert len(valid) == 20


def test_every_step_draws_by_its_number_alone_and_an_epoch_sees_all(tmp_path):
    aligned = make_aligned(tmp_path)
    windows = TrainingWindows(list(aligned.sessions), WindowGrid(8, 8, 25), seed=3)
    again = TrainingWindows(list(aligned.sessions), WindowGrid(8, 8, 25), seed=3)
    drawn = [windows.batch(step, 4) for step in range(30)]
    assert again.batch(17, 4) == drawn[17]
    n = len(windows)
    epoch = [windows.at(k) for k in range(n)]
    assert {w.session.name for w in epoch} == {s.name for s in aligned.sessions}
    for session in aligned.sessions:
        for seat in (0, 1):
            seen = np.zeros(session.n_labels, int)
            for w in epoch:
                if w.session is session and w.target == seat:
                    seen[max(w.start, 0) : w.start + 8] += 1
            assert (seen >= 1).all()
    assert [windows.at(k) for k in range(n, n + 5)] != epoch[:5]


@pytest.mark.parametrize("n_labels", [96, 100])
def test_no_window_begins_after_the_session_and_a_tiling_that_needs_none_more_ends_with_its_end(tmp_path, n_labels):
    aligned = make_aligned(tmp_path, n_labels=n_labels)
    windows = TrainingWindows(list(aligned.sessions), WindowGrid(8, 8, 25), seed=3)
    starts = {epoch: [windows.window(epoch, k).start for k in range(len(windows))] for epoch in range(20)}
    whole = [start for each in starts.values() for start in each]
    assert max(whole) < n_labels
    count = len(windows) // 6  # of a seat
    for each in starts.values():
        for first in range(0, len(each), count):
            shifted = each[first : first + count]
            last = shifted[-1]
            assert last - shifted[-2] == 8 or last == n_labels - 8


@pytest.mark.parametrize("rate_hz", [25, 100])
def test_every_row_of_a_session_is_read_from_the_first_to_the_last(tmp_path, rate_hz):
    aligned = make_aligned(tmp_path, rate_hz=rate_hz)
    reader = WindowReader(aligned, WindowGrid(20, 10, rate_hz))
    session = aligned.sessions[2]
    core = reader.grid.core_frames
    for cue in WIDTHS:
        rows, valid = aligned.shard(session, "p1").read(cue, 0, 4 * rate_hz)
        read = [(b.cues[cue][:, 0, core], b.valid[cue][:, 0, core]) for b in tiled(reader, session, 1, 2)]
        values, seen = (torch.cat([part[i].flatten(0, 1) for part in read]) for i in (0, 1))
        np.testing.assert_array_equal(seen, valid)
        np.testing.assert_array_equal(values[seen], rows[valid])


def test_a_bounded_number_of_shards_stays_open(tmp_path, monkeypatch):
    monkeypatch.setattr("damamba.data.batch.OPEN_SHARDS", 6)
    aligned = make_aligned(tmp_path, sessions=5, seats=3)
    reader = WindowReader(aligned, WindowGrid(8, 8, 25))
    for session in (*aligned.sessions, *aligned.sessions[::-1]):
        reader.read([Window(session, 0, 0)])
        assert sum(len(seats) for seats in reader._open.values()) <= 6
    assert list(reader._open) == [("own", "s1"), ("own", "s0")]


@pytest.mark.parametrize("core", [100, 150])
def test_a_session_that_fits_into_one_core_is_one_whole_window(tmp_path, core):
    aligned = make_aligned(tmp_path)
    windows = TrainingWindows(list(aligned.sessions), WindowGrid(core, 0, 25), seed=3)
    assert len(windows) == sum(len(session.seats) for session in aligned.sessions)
    assert {window.start for step in range(5) for window in windows.batch(step, 4)} == {0}


def test_seats_of_smaller_sessions_are_padded_absent(tmp_path):
    small, large = make_aligned(tmp_path / "a", 1, seats=2), make_aligned(tmp_path / "b", 1, seats=4)
    del small
    reader = WindowReader(large, WindowGrid(8, 8, 25))
    two = replace(large.sessions[0], seats=large.sessions[0].seats[:2], session="s0")
    batch = reader.read([Window(large.sessions[0], 2, 0)])
    assert batch.present.tolist() == [[True] * 4]
    reader = WindowReader(large, WindowGrid(8, 8, 25))
    batch = reader.read([Window(two, 0, 0)])
    assert batch.present.tolist() == [[True, True]]


def test_statistics_merge_to_the_whole(tmp_path):
    aligned = make_aligned(tmp_path)
    total = ChannelMoments(0, np.zeros(3), np.zeros(3))
    rows = []
    for session in aligned.sessions:
        for seat in session.seats:
            total += shard_moments(aligned.path(session, seat.participant, ".arrow"), "voice")
            x, valid = aligned.shard(session, seat.participant).read("voice", 0, 400)
            rows.append(x[valid].astype(np.float64))
    whole = np.concatenate(rows)
    assert total.n == len(whole)
    np.testing.assert_allclose(total.mean, whole.mean(0), rtol=1e-3)
    np.testing.assert_allclose(total.std, whole.std(0), rtol=1e-3)


def test_values_beyond_halves_are_kept_in_single_precision(tmp_path):
    x = np.array([[2.6e5], [1.0]], np.float32)
    write_shard(tmp_path / "p", {"big": (x, np.ones(2, bool))}, "")
    np.testing.assert_array_equal(Shard(tmp_path / "p.arrow").read("big", 0, 2)[0], x)


def test_a_changed_file_is_found_by_its_hash_and_a_broken_one_has_no_key(tmp_path):
    aligned = make_aligned(tmp_path)
    aligned.verify()
    path = aligned.path(aligned.sessions[0], "p0", ".arrow")
    held = bytearray(path.read_bytes())
    held[len(held) // 2] ^= 1
    path.write_bytes(held)
    with pytest.raises(InputError, match=r"s0/p0\.arrow: damaged.*dvc repro -f align"):
        aligned.verify()
    path.write_bytes(b"nonsense")
    assert shard_key(path) is None
    path.unlink()
    with pytest.raises(InputError, match="missing"):
        aligned.verify()


def test_index_of_another_schema_is_refused(tmp_path):
    (tmp_path / "index.json").write_text(json.dumps({"schema": 99}))
    with pytest.raises(InputError, match="schema 99"):
        Aligned.read(tmp_path)


def test_seats_that_a_session_lacks_are_padded_and_absent(tmp_path):
    pair, group = (make_aligned(tmp_path / f"{n}", sessions=1, seats=n) for n in (2, 4))
    (tmp_path / "2/own/s0").rename(tmp_path / "4/own/s1")
    smaller = replace(pair.sessions[0], session="s1")
    reader = WindowReader(replace(group, sessions=(*group.sessions, smaller)), WindowGrid(8, 8, 100))
    batch = reader.read([Window(smaller, 1, 40), Window(group.sessions[0], 3, 40)])
    assert batch.present.tolist() == [[True, True, False, False], [True] * 4]
    for name, valid in batch.valid.items():
        assert not valid[0, 2:].any()
        assert not batch.cues[name][0, 2:].any()
        assert valid[0, :2].any(-1).all()
        assert valid[1].any(-1).all()
    alone = reader.read([Window(smaller, 1, 40)])
    assert torch.equal(alone.cues["voice"], batch.cues["voice"][:1, :2])


def test_shuffled_labels_come_from_other_sessions_and_all_are_used(tmp_path):
    aligned = make_aligned(tmp_path)
    source = shuffled_labels(aligned, list(aligned.sessions), 5)
    assert len(source) == 6
    assert all(a[0].name != b[0].name for a, b in source.items())
    assert len({(b[0].name, b[1]) for b in source.values()}) == 6


@pytest.mark.parametrize("sizes", [(1,), (3, 1), (4, 1, 2)])
def test_labels_that_cannot_all_go_elsewhere_are_refused_at_once(tmp_path, sizes):
    aligned = make_aligned(tmp_path, sessions=len(sizes), n_labels=10, seats=max(sizes))
    sessions = [replace(s, seats=s.seats[:n]) for s, n in zip(aligned.sessions, sizes, strict=True)]
    with pytest.raises(InputError, match=rf"own/s0 has {sizes[0]} of {sum(sizes)}"):
        shuffled_labels(aligned, sessions, 5)


@pytest.mark.parametrize("sizes", [(1, 1), (3, 1, 2), (4, 1, 1, 1, 1), (2, 2, 2)])
def test_labels_move_even_where_one_session_has_half_of_the_seats(tmp_path, sizes):
    aligned = make_aligned(tmp_path, sessions=len(sizes), n_labels=10, seats=max(sizes))
    sessions = [replace(s, seats=s.seats[:n]) for s, n in zip(aligned.sessions, sizes, strict=True)]
    for seed in range(3):
        source = shuffled_labels(aligned, sessions, seed, draws=8)
        assert len({(b[0].name, b[1]) for b in source.values()}) == sum(sizes)
        assert all(a[0].name != b[0].name for a, b in source.items())


def test_a_rate_that_does_not_fit_the_shards_is_refused(tmp_path):
    aligned = make_aligned(tmp_path, rate_hz=25, sessions=1)
    with pytest.raises(InputError, match=r"window\.rate_hz"):
        WindowReader(aligned, WindowGrid(8, 8, 100))
