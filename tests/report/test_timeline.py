import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from damamba.console import InputError
from damamba.data.shards import Aligned
from damamba.report.timeline import timeline_figure
from damamba.scoring.series import ParticipantSeries, SessionSeries, decimate, read_series, stretches, worst_stretches
from damamba.svg import COLOURS, LARGEST_BYTES, inline_svg


def test_series_carry_labels_predictions_and_the_masks_of_the_shards(finished):
    aligned = Aligned.read(finished / "data/aligned")
    series = list(read_series(aligned, finished / "data/predictions/da_mamba-0", "test"))
    assert len(series) == 8
    session = aligned.split("test")[0]
    for participant in series[0].participants:
        value, valid = aligned.labels(session, participant.participant)
        assert np.array_equal(np.isfinite(participant.label), valid)
        assert np.allclose(participant.label[valid], value[valid])
        shard = aligned.shard(session, participant.participant)
        for cue in aligned.cues:
            _, seen = shard.read(cue, 0, shard.rows)
            assert [bool(seen[4 * i : 4 * i + 4].any()) for i in range(500)] == (~participant.missing[cue]).tolist()


def test_the_worst_stretches_are_the_longest_of_all_sessions_with_the_cues_that_they_lack(finished):
    aligned = Aligned.read(finished / "data/aligned")
    longest = {}
    for session in aligned.sessions:
        for seat in session.seats:
            shard = aligned.shard(session, seat.participant)
            for cue in aligned.cues:
                seen = shard.read(cue, 0, shard.rows)[1].reshape(-1, 4).any(1)
                gaps = "".join("x" if one else "." for one in seen)
                for gap in re.finditer(r"\.{25,}", gaps):
                    key = session.corpus, session.session, seat.participant, gap.start() / 25, gap.end() / 25
                    longest.setdefault(key, []).append(cue)
    assert len(longest) > 4
    found = worst_stretches(aligned)
    assert {one.key: list(one.cues) for one in found} == longest
    assert [one.key for one in found] == sorted(longest)
    few = worst_stretches(aligned, 3)
    assert min(b - a for *_, a, b in (one.key for one in few)) >= sorted(b - a for *_, a, b in longest)[-3]


def test_a_missing_prediction_and_one_of_another_length_are_named(finished, tmp_path):
    aligned = Aligned.read(finished / "data/aligned")
    with pytest.raises(InputError, match=r"expert\.parquet: missing; make it: dvc repro -f evaluate@da_mamba-9"):
        next(read_series(aligned, tmp_path / "da_mamba-9", "test"))
    path = tmp_path / "da_mamba-0/noxi/001/expert.parquet"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PAR1")
    with pytest.raises(InputError, match="damaged"):
        next(read_series(aligned, tmp_path / "da_mamba-0", "test"))


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(1, 7))
def test_stretches_cover_every_true_frame_and_no_group_without_one(mask, step):
    mask = np.array(mask)
    covered = np.zeros(len(mask), bool)
    for start, stop in stretches(mask, step):
        assert 0 <= start < stop <= len(mask)
        covered[start:stop] = True
    for at in range(0, len(mask), step):
        assert (covered[at : at + step] == mask[at : at + step].any()).all()


@given(st.lists(st.one_of(st.floats(0, 1), st.just(float("nan"))), min_size=1, max_size=50), st.integers(1, 9))
def test_decimation_is_the_mean_of_what_is_known(values, step):
    values = np.array(values)
    drawn = decimate(values, step)
    for i, mean in enumerate(drawn):
        known = [v for v in values[i * step : (i + 1) * step] if np.isfinite(v)]
        assert mean == pytest.approx(np.mean(known)) if known else np.isnan(mean)


def long_session(minutes, people=4):
    rng = np.random.default_rng(0)
    n = minutes * 60 * 25
    people = [
        ParticipantSeries(
            f"p{p}", "", rng.random(n), rng.random(n), {cue: rng.random(n) < 0.02 for cue in ("voice", "face", "flow")}
        )
        for p in range(people)
    ]
    return SessionSeries("mpiigi", "001", "de", tuple(people))


def test_a_long_session_full_of_gaps_is_still_a_small_picture(tmp_path):
    timeline_figure(long_session(20), tmp_path / "long.svg")
    assert (tmp_path / "long.svg").stat().st_size <= LARGEST_BYTES


def test_the_same_session_is_the_same_bytes_and_valid_xml_that_follows_the_page(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        timeline_figure(long_session(1, people=2), tmp_path / name / "one.svg")
    text = (tmp_path / "a/one.svg").read_text()
    assert text == (tmp_path / "b/one.svg").read_text()
    assert ET.fromstring(text).tag.endswith("svg")
    assert "prefers-color-scheme:dark" in text
    assert "<dc:date>" not in text
    # every colour is of the palette, so that all of them change with the page
    known = {light for light, _ in COLOURS.values()}
    assert set(re.findall(r"#[0-9a-f]{6}(?=[;\"])", text)) <= known
    assert not re.search(r"#[0-9a-f]{6}", inline_svg(tmp_path / "a/one.svg"))


def test_the_last_digits_of_another_machine_change_no_byte_of_a_picture(tmp_path):
    session = long_session(1, people=2)
    timeline_figure(session, tmp_path / "one.svg")
    before = (tmp_path / "one.svg").read_text()
    rng = np.random.default_rng(1)
    near = replace(
        session,
        participants=tuple(
            replace(one, prediction=one.prediction + 2e-6 * rng.standard_normal(len(one.prediction)))
            for one in session.participants
        ),
    )
    timeline_figure(near, tmp_path / "one.svg")
    assert (tmp_path / "one.svg").read_text() == before
    timeline_figure(near, tmp_path / "fresh.svg")
    assert (tmp_path / "fresh.svg").read_text() != before
    assert not re.search(r"\d\.\d{3}", re.sub(r"<style>.*?</style>", "", before, flags=re.DOTALL))
