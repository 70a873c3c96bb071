from dataclasses import replace

import numpy as np
import pytest

from damamba.console import InputError
from damamba.corpus.manifest import Participant, ReleasedStream
from damamba.corpus.ssi import write_stream
from damamba.extractors.official import Official, OfficialCueParams
from damamba.features.extract import extract_all
from damamba.features.extractor import ExtractorInput
from damamba.streams.reader import read_stream


def participant(folder, x, rate_hz=25.0, duration_s=None, **stream):
    path = folder / "expert.clip.stream"
    write_stream(path, x, 25.0)
    released = ReleasedStream("clip", str(path), x.shape[1], rate_hz, len(x), "sha")
    length = len(x) / rate_hz if duration_s is None else duration_s
    return Participant(
        "noxi", "001", "expert", "expert", "train", "en", "p", "", "", "", "", "", length, 25.0, 0,
        streams=(replace(released, **stream),),
    )  # fmt: skip


def extract(who, **params):
    return Official(OfficialCueParams(stream="clip", **params)).extract(ExtractorInput(who))


def test_rows_keep_their_values_and_stand_at_their_labels(tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    stream = extract(participant(tmp_path, x))
    np.testing.assert_array_equal(stream.x, x)
    np.testing.assert_array_equal(stream.t_s, np.arange(60) / 25)
    assert stream.valid.all()
    assert (stream.rate_hz, stream.width, stream.channels[3]) == (25.0, 4, "clip.3")


def test_bookkeeping_columns_are_dropped_with_their_defects(tmp_path):
    x = np.ones((50, 5), np.float32)
    x[7, 1] = np.nan
    stream = extract(participant(tmp_path, x), drop=(0, 1, 2))
    assert stream.valid.all()
    assert stream.channels == ("clip.3", "clip.4")
    with pytest.raises(InputError, match=r"`drop`.*channels 0 to 4"):
        extract(participant(tmp_path, x), drop=(9,))


def test_what_is_not_finite_or_not_there_is_not_valid(tmp_path):
    x = np.ones((50, 2), np.float32)
    x[3, 0], x[4, 1], x[5, 0] = np.nan, np.inf, -(2.0**65)
    who = participant(tmp_path, x)
    data = tmp_path / "expert.clip.stream~"
    data.write_bytes(data.read_bytes()[: 40 * 8])
    stream = extract(who)
    assert len(stream.t_s) == 50
    assert np.flatnonzero(~stream.valid).tolist() == [3, 4, 5, *range(40, 50)]
    assert np.isnan(stream.x[~stream.valid]).all()


def test_minus_one_is_a_value_unless_the_cue_says_otherwise(tmp_path):
    x = np.arange(200, dtype=np.float32).reshape(100, 2)
    x[10] = -1
    assert extract(participant(tmp_path, x)).valid.all()
    assert np.flatnonzero(~extract(participant(tmp_path, x), invalid="minus_one").valid).tolist() == [10]


def test_a_missing_point_is_bridged_for_a_second_and_else_the_median(tmp_path):
    x = np.tile(np.arange(100, dtype=np.float32)[:, None], (1, 3))
    x[10:13, 1] = -1  # short
    x[40:80, 1] = -1  # long
    x[:5, 2] = -1  # nothing before
    stream = extract(participant(tmp_path, x), invalid="minus_one")
    assert stream.valid.all()
    np.testing.assert_allclose(stream.x[10:13, 1], [10, 11, 12])
    known = x[x[:, 1] != -1, 1]
    np.testing.assert_allclose(stream.x[40:80, 1], np.median(known))
    np.testing.assert_allclose(stream.x[:5, 2], np.median(x[5:, 2]))
    assert stream.score[41] == pytest.approx(2 / 3)


def test_with_a_stated_lookahead_no_point_is_filled_from_a_later_row(tmp_path):
    rng = np.random.default_rng(0)
    x = np.where(rng.random((100, 3)) < 0.4, -1, rng.normal(size=(100, 3))).astype(np.float32)
    x[:5, 2], x[60] = -1, -1
    later = np.where(np.arange(100)[:, None] >= 50, rng.normal(5, 1, (100, 3)), x).astype(np.float32)
    before, after = (extract(participant(tmp_path, rows), invalid="minus_one", lookahead_s=0.04) for rows in (x, later))
    np.testing.assert_array_equal(before.x[:50], after.x[:50])
    np.testing.assert_array_equal(before.valid[:50], after.valid[:50])
    assert np.flatnonzero(~before.valid).tolist() == np.flatnonzero((x == -1).all(1)).tolist()
    known = [next((x[i, 0] for i in range(row, -1, -1) if x[i, 0] != -1), -1) for row in range(100)]
    np.testing.assert_array_equal(before.x[before.valid, 0], np.array(known, np.float32)[before.valid])
    offline = [extract(participant(tmp_path, rows), invalid="minus_one").x[:50] for rows in (x, later)]
    assert not np.array_equal(*offline, equal_nan=True)  # the check can fail


def test_an_absent_stream_is_as_wide_as_the_others_and_never_valid(tmp_path):
    who = participant(tmp_path, np.ones((5, 7), np.float32), duration_s=4.0, path="", rows=0)
    made = extract_all(
        Official, OfficialCueParams(stream="clip"), [who], tmp_path / "out", lambda f, tasks: [f(t) for t in tasks]
    )
    assert "1 participants made" in made
    stream = read_stream(who.shard(tmp_path / "out"), "")
    assert (stream.width, len(stream.t_s)) == (7, 0)


def test_rows_beyond_the_session_are_left_out(tmp_path):
    assert len(extract(participant(tmp_path, np.ones((500, 2), np.float32), duration_s=4.0)).t_s) == 100


def test_a_rate_of_the_users_own_must_fit(tmp_path):
    who = participant(tmp_path, np.ones((100, 2), np.float32), duration_s=4.0)
    assert extract(who, rate_hz=25).rate_hz == 25
    with pytest.raises(InputError, match=r"rate_hz 10 .*100 rows would last 10\.0 s, but noxi/001/expert lasts 4\.0 s"):
        extract(who, rate_hz=10)


def test_a_stream_that_the_corpus_lacks_names_what_there_is(tmp_path):
    who = participant(tmp_path, np.ones((5, 2), np.float32), name="openpose")
    with pytest.raises(InputError, match=r"no released stream 'clip'; there are openpose"):
        extract(who)
    with pytest.raises(InputError, match="recordings without streams"):
        extract(replace(who, streams=()))


def test_only_the_stream_that_is_read_decides_what_is_made_again(tmp_path):
    who = participant(tmp_path, np.ones((5, 2), np.float32))
    cue = Official(OfficialCueParams(stream="clip"))
    other = replace(who, streams=(*who.streams, ReleasedStream("openpose", "p", 3, 25.0, 5, "changed")))
    assert cue.input_key(who) == cue.input_key(other)
    assert cue.input_key(who) != cue.input_key(replace(who, streams=(replace(who.streams[0], sha256="new"),)))
    assert cue.input_key(who) != cue.input_key(replace(who, duration_s=0.12))  # two of its rows are then left out
    assert cue.input_key(who) == cue.input_key(replace(who, duration_s=60.0))
