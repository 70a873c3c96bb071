from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from damamba.console import InputError
from damamba_sim.behaviour.annotators import INVALID_TOKENS, annotate, write_labels
from damamba_sim.behaviour.conversation import BODY_CHANNELS, VOICE_CHANNELS, Conversation, converse
from damamba_sim.behaviour.scene import Law
from damamba_sim.corpora.quantiles import session_quantiles
from damamba_sim.oracle.pace import REAL_AUTOCORRELATION, pace_of

LIMITS = {
    "speech": (0, 1),
    "eye": (0, 1),
    "gaze_x": (-1, 1),
    "smile": (0, 1),
    "brow": (-1, 1),
    "lean": (-3, 3),
    "hand": (0, 1),
    "present": (1, 1),
    "yaw": (-50, 50),
    "pitch": (-40, 40),
    "roll": (-30, 30),
}
WINDOW = 96


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    people=st.integers(2, 4),
    minutes=st.floats(0.05, 0.6),
    language=st.sampled_from(["en", "ar"]),
)
def test_channels_are_finite_within_limits_and_have_the_given_length(seed, people, minutes, language):
    talk = converse(seed, people, minutes, language)
    shape = (people, round(minutes * 1500))
    assert talk.engagement.shape == shape
    assert 0 < talk.engagement.min() <= talk.engagement.max() < 1
    assert set(talk.channels) == {*VOICE_CHANNELS, *BODY_CHANNELS}
    for name, track in talk.channels.items():
        assert track.shape == shape
        assert np.isfinite(track).all()
        low, high = LIMITS.get(name, (-np.inf, np.inf))
        assert low <= track.min() <= track.max() <= high, name
    assert all(0 <= p.speaker < people and p.end_s > p.start_s >= 0 for p in talk.phrases)


def test_the_seed_decides_the_conversation():
    a, b, c = (converse(seed, 3, 0.3, "de") for seed in (5, 5, 6))
    assert a.phrases == b.phrases != c.phrases
    assert all((a.channels[name] == b.channels[name]).all() for name in a.channels)


def test_people_behave_like_people():
    minutes, gaps, blinks, backchannels = 3, [], [], []
    talks = [converse(seed, 2, minutes, "en") for seed in range(8)]
    for talk in talks:
        turns = [p for p in talk.phrases if not p.backchannel]
        gaps += [b.start_s - a.end_s for a, b in pairwise(turns) if a.speaker != b.speaker]
        blinks += [((eye[1:] < 0.2) & (eye[:-1] >= 0.2)).sum() / minutes for eye in talk.channels["eye"]]
        backchannels += [sum(p.backchannel for p in talk.phrases if p.speaker == i) / minutes for i in (0, 1)]
        assert 0.55 < talk.channels["speech"].max(0).mean() < 0.98
        assert talk.channels["speech"].min(0).mean() < 0.25
    assert 0.1 < np.median(gaps) < 0.4
    assert 10 < np.median(blinks) < 28
    assert 3 < np.median(backchannels) < 20


def test_experts_speak_more():
    shares = np.mean(
        [converse(seed, 2, 1.0, "en", ["expert", "novice"]).channels["speech"].mean(1) for seed in range(20)], 0
    )
    assert shares[0] > shares[1] + 0.05


def share_after_points(talk: Conversation) -> float:
    """Of the nods after points and pauses, the share after points."""
    after = {True: 0, False: 0}
    for phrase in talk.phrases:
        frame = int(phrase.end_s * 25)
        for listener in {0, 1} - {phrase.speaker}:
            nods = talk.channels["nod"][listener, frame + 2 : frame + 24]
            after[phrase.complete] += int(not phrase.backchannel and nods.max(initial=0) > 0.5)
    return after[True] / (after[True] + after[False])


def test_without_contingency_engagement_does_not_decide_where_responses_come():
    engaged, bored = (replace(Law(), level=level, spread=0.0) for level in (3.0, -3.0))
    share = {}
    for timing in (1.0, 0.0):
        for name, law in (("engaged", engaged), ("bored", bored)):
            talks = [converse(seed, 2, 4.0, "en", law=replace(law, timing=timing)) for seed in range(3)]
            share[name, timing] = np.mean([share_after_points(talk) for talk in talks])
    assert share["engaged", 1.0] > share["bored", 1.0] + 0.3
    assert abs(share["engaged", 0.0] - share["bored", 0.0]) < 0.1


def test_moods_correlate_as_far_as_they_are_shared():
    def correlation(shared: float) -> float:
        law = replace(Law(), shared=shared, mood=3.0)
        smiles = np.array([converse(seed, 2, 2.0, "en", law=law).channels["smile"].mean(1) for seed in range(60)])
        return float(np.corrcoef(smiles.T)[0, 1])

    assert correlation(1.0) > 0.5 > 0.3 > correlation(0.0)


@pytest.mark.parametrize(
    ("people", "minutes", "language", "message"),
    [
        (1, 1.0, "en", "1 participants"),
        (5, 1.0, "en", "5 participants"),
        (2, 0.001, "en", "too short"),
        (2, 1.0, "xx", "'xx'"),
    ],
)
def test_conversations_that_the_model_does_not_support_are_refused(people, minutes, language, message):
    with pytest.raises(InputError, match=message):
        converse(0, people, minutes, language)


# --- readers of the true channels: about the best that a model could learn


def describe(talk: Conversation) -> tuple[np.ndarray, np.ndarray]:
    """Means over 4 s windows: (windows, P, features), the five of audio first, and engagement (windows, P)."""
    frames = talk.engagement.shape[1]
    rows, target = [], []
    for first in range(0, frames - WINDOW + 1, WINDOW):
        window = {name: track[:, first : first + WINDOW] for name, track in talk.channels.items()}
        speech = window["speech"]
        spoken = np.maximum(speech.sum(1), 1)
        neutral = {"voice_pitch": 0, "loudness": 0, "rate": 1, "liveliness": 1}
        audio = [((window[name] - level) * speech).sum(1) / spoken for name, level in neutral.items()]
        video = [window[name].mean(1) for name in ("smile", "brow", "lean", "eye")]
        away = (np.abs(window["gaze_x"]) > 0.75).mean(1)
        motion = [np.log(np.diff(window[name]).std(1) + 0.05) for name in ("yaw", "roll", "shift_x")]
        rows.append(np.stack([*audio, speech.mean(1), *video, away, *motion], axis=1))
        target.append(talk.engagement[:, first : first + WINDOW].mean(1))
    return np.array(rows), np.array(target)


def ccc(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * np.mean((a - a.mean()) * (b - b.mean())) / (a.var() + b.var() + (a.mean() - b.mean()) ** 2)


def oracle(people: int, seed: int) -> dict[str, float]:
    """Pooled CCC of ridge regressions on 12 sessions of 20 s, fitted on 24 others."""
    described = []
    for k in range(36):
        split_number, index = (0, k) if k < 24 else (1, k - 24)
        quantiles = session_quantiles(seed, split_number, index, people)
        described.append(describe(converse(1000 * seed + k, people, 1 / 3, "en", (), None, quantiles)))
    scores = {}
    for name, columns, partner in (
        ("target", slice(None), False),
        ("both", slice(None), True),
        ("audio", slice(0, 5), True),
        ("video", slice(5, None), True),
    ):
        x, y = [], []
        for features, engagement in described:
            own = features[:, :, columns]
            others = (own.sum(1, keepdims=True) - own) / (people - 1)
            x.append(
                np.concatenate([own, others], 2).reshape(-1, 2 * own.shape[2])
                if partner
                else own.reshape(-1, own.shape[2])
            )
            y.append(engagement.reshape(-1))
        train, test = np.concatenate(x[:24]), np.concatenate(x[24:])
        mean, std = train.mean(0), train.std(0) + 1e-6
        train, test = (train - mean) / std, (test - mean) / std
        y_train = np.concatenate(y[:24])
        weights = np.linalg.solve(train.T @ train + 25 * np.eye(train.shape[1]), train.T @ (y_train - y_train.mean()))
        scores[name] = ccc(test @ weights + y_train.mean(), np.concatenate(y[24:]))
    return scores


@pytest.mark.parametrize("people", [2, 4])
def test_engagement_is_readable_from_short_windows_and_partners_help(people):
    scores = [oracle(people, seed) for seed in range(6)]
    mean = {name: np.mean([score[name] for score in scores]) for name in scores[0]}
    assert mean["both"] > 0.5
    assert mean["both"] > mean["target"] + 0.03
    assert mean["both"] > max(mean["audio"], mean["video"]) + 0.1


def test_people_of_different_sessions_do_not_correlate():
    (a, truth), (b, _) = (describe(converse(seed, 2, 5.0, "en")) for seed in (1, 2))
    assert a.shape == (*truth.shape, 13)
    loudness = np.corrcoef(a[:, 0, 1], b[:, 1, 1])[0, 1]
    assert abs(loudness) < 0.5


# --- annotators


def test_labels_follow_engagement_a_little_later():
    frames = 3000
    slow = 0.5 + 0.35 * np.sin(2 * np.pi * np.arange(frames) / 400)
    values, valid = annotate(np.random.default_rng(0), slow)
    assert ((values >= 0) & (values <= 1)).all()
    assert 0.97 < valid.mean() < 1
    lags = range(0, 40)
    best = max(lags, key=lambda lag: np.corrcoef(slow[: frames - lag], values[lag:])[0, 1])
    assert 0.4 < best / 25 < 1.4  # 0.3-0.8 s of lag, 0.3 s of smoothing
    assert np.corrcoef(slow[: frames - best], values[best:])[0, 1] > 0.95


def test_label_file_has_the_format_of_the_release(tmp_path):
    path = tmp_path / "expert.engagement.annotation.csv"
    write_labels(path, np.array([0.5, 0.1, 0.2, 0.3, 1.0]), np.array([True, False, False, False, True]))
    assert path.read_text().split("\n") == ["0.500000", *INVALID_TOKENS, "1.000000", ""]


def test_labels_move_as_fast_as_real_ones_and_mostly_within_people():
    pace = pace_of(hours=50, minutes=17, seed=0, law=Law())
    np.testing.assert_allclose(pace.median[:5], REAL_AUTOCORRELATION[:5], atol=0.05)
    assert pace.std_within**2 > 2 * pace.std_between**2
