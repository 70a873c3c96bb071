"""Statistics of the true channels: levels, events and responses, over windows of several lengths.

Every statistic is a sum over a window, or a ratio of two sums, so one cumulative sum per series serves all windows.
Each one records whom it describes (the target, the partners, or both together) and which sense perceives it, so a
reader's view is a choice of columns.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from damamba.config import LABEL_RATE_HZ
from damamba_sim.behaviour.scene import AWAY_GAZE, SEAT_GAZE

Who = Literal["target", "partner", "pair"]
Sense = Literal["audio", "visual", "both"]
SESSION = 0.0
"""Window length that stands for the whole session."""
WINDOWS_S = (1.0, 4.0, 15.0, 60.0, SESSION)
LAGS_S = (1.0, 2.0, 4.0)
"""How much earlier the shortest window is described once more: annotators and contagion lag behind."""
RESPONSE_S = (0.04, 0.95)
"""Shortest and longest time from a point to a response; `SMILE_S` from a smile to a smile."""
SMILE_S = (0.1, 1.3)
QUICK_S, TAKEN_S = 0.35, 2.0
"""Longest gap of a quick turn, and of any turn that counts as taken from the partner."""
FEW_EVENTS, FEW_FRAMES = 2.0, 25.0
"""Added to the denominator of a ratio: with few events or frames, it is close to zero."""
NEAR = 0.22
"""Gaze this close to a seat is a look at the person there."""


class Statistic(NamedTuple):
    """One column of statistics."""

    who: Who
    sense: Sense
    window_s: float
    """`SESSION` for the whole session."""
    name: str
    lag_s: float = 0.0
    """How much earlier than the label the middle of the window is."""


class _Ratio(NamedTuple):
    part: str
    whole: str
    few: float


Series = dict[tuple[Who, Sense], dict[str, np.ndarray]]
"""Name: (T,), by whom it describes and which sense perceives it."""


def statistics(channels: Mapping[str, np.ndarray], at: np.ndarray) -> tuple[np.ndarray, list[Statistic]]:
    """Describe a conversation from the point of view of each participant.

    Args:
        channels: Channels of `damamba_sim.behaviour.conversation`, each (P, T) at 25 Hz.
        at: (K,) frames around which the windows lie; windows are cut off at the ends of the session.

    Returns:
        (P, K, statistics), and a description of each column.
    """
    people = _people(channels)
    rows: list[np.ndarray] = []
    columns: list[Statistic] = []
    for target in range(len(people)):
        row, columns = _windowed(_series_of(people, target), _RATIOS, at)
        rows.append(row)
    return np.stack(rows), columns


def _windowed(
    series: Series, ratios: Mapping[tuple[Who, Sense], Mapping[str, _Ratio]], at: np.ndarray
) -> tuple[np.ndarray, list[Statistic]]:
    """(K, statistics) of one target."""
    keys: list[tuple[Who, Sense, str]] = [
        (who, sense, name) for (who, sense), tracks in series.items() for name in tracks
    ]
    place = {name: i for i, (_, _, name) in enumerate(keys)}
    tracks = np.stack([series[who, sense][name] for who, sense, name in keys], axis=1)
    total = np.concatenate([np.zeros((1, len(keys))), np.cumsum(tracks, axis=0)])
    frames = len(tracks)
    values, columns = [], []
    for window_s, lag_s in (*((window_s, 0.0) for window_s in WINDOWS_S), *((WINDOWS_S[0], lag_s) for lag_s in LAGS_S)):
        half = frames if window_s == SESSION else round(window_s * LABEL_RATE_HZ / 2)
        middle = np.maximum(at - round(lag_s * LABEL_RATE_HZ), 0)
        first, stop = np.clip(middle - half, 0, frames), np.clip(middle + half + 1, 0, frames)
        sums = total[stop] - total[first]
        values.append(sums / (stop - first)[:, None])
        columns += [Statistic(who, sense, window_s, name, lag_s) for who, sense, name in keys]
        for (who, sense), named in ratios.items():
            for name, ratio in named.items():
                values.append((sums[:, place[ratio.part]] / (sums[:, place[ratio.whole]] + ratio.few))[:, None])
                columns.append(Statistic(who, sense, window_s, name, lag_s))
    return np.concatenate(values, axis=1).astype(np.float32), columns


class _Person(NamedTuple):
    """Series of one person, each (T,)."""

    audio: dict[str, np.ndarray]
    visual: dict[str, np.ndarray]
    looks: dict[int, np.ndarray]
    """Number of another person: 1 where this one looks at that person."""


def _people(channels: Mapping[str, np.ndarray]) -> list[_Person]:
    n_people = len(channels["speech"])
    people = []
    for i in range(n_people):
        c = {name: track[i] for name, track in channels.items()}
        floor = c["speech"] * (1 - c["backchannel"])
        end = _onset(1 - floor)
        falling = np.concatenate([[0.0], c["fall"][:-1]])
        audio = {
            "floor": floor,
            "start": _onset(floor),
            "end": end,
            "point": end * falling,
            "pause": end * (1 - falling),
            "mhm": _onset(c["backchannel"]),
            "pitch": c["voice_pitch"] * floor,
            "loudness": c["loudness"] * floor,
            "rate": (c["rate"] - 1) * floor,
            "liveliness": (c["liveliness"] - 1) * floor,
        }
        look = np.abs(c["gaze_x"]) < (1 + AWAY_GAZE) / 2 - 0.2
        lips = np.convolve(c["mouth"], np.ones(9) / 9, "same")
        moves = {name: np.abs(np.diff(c[name], prepend=c[name][:1])) for name in ("yaw", "roll", "pitch", "shift_x")}
        visual = {
            "smile": c["smile"],
            "brow": c["brow"],
            "lean": c["lean"],
            "eye": np.where(c["eye"] > 0.4, c["eye"], 0),
            "hand": c["hand"],
            "look": look,
            "blink": _onset(c["eye"] < 0.3),
            "turning": moves["yaw"],
            "tilting": moves["roll"],
            "shifting": moves["shift_x"],
            "nod": _onset(c["nod"] > 0.2),
            "raise": _onset(c["brow"] - _around(c["brow"], 3) > 0.12),
            "smiling": _onset(c["smile"] - _around(c["smile"], 6) > 0.1),
            "look_up": _onset(look),
            "lips": lips > 0.12,
            "close": _onset(lips < 0.12),
        }
        seats = SEAT_GAZE[n_people]
        others = [j for j in range(n_people) if j != i]
        looks = {j: (np.abs(c["gaze_x"] - seat) < NEAR) * 1.0 for j, seat in zip(others, seats, strict=True)}
        people.append(_Person(audio, {name: np.asarray(track, float) for name, track in visual.items()}, looks))
    return people


def _series_of(people: list[_Person], target: int) -> Series:
    """All series from the point of view of the person `target`."""
    own = people[target]
    others = [j for j in range(len(people)) if j != target]

    def any_partner(sense: str, name: str) -> np.ndarray:
        return np.max([getattr(people[j], sense)[name] for j in others], axis=0)

    series: Series = {
        ("target", "audio"): {f"own_{name}": track for name, track in own.audio.items()},
        ("target", "visual"): {f"own_{name}": track for name, track in own.visual.items()},
        ("partner", "audio"): {
            f"their_{name}": np.mean([people[j].audio[name] for j in others], axis=0) for name in own.audio
        },
        ("partner", "visual"): {
            f"their_{name}": np.mean([people[j].visual[name] for j in others], axis=0) for name in own.visual
        },
    }
    # 1 after a point of the partners, -1 after a mere pause: attentive responses come at 1
    point = _after(any_partner("audio", "point"), *RESPONSE_S)
    placed = point - _after(any_partner("audio", "pause"), *RESPONSE_S)
    own_placed = _after(own.audio["point"], *RESPONSE_S) - _after(own.audio["pause"], *RESPONSE_S)
    closing = _after(any_partner("visual", "close"), *RESPONSE_S)
    answered = _after(any_partner("visual", "smiling"), *SMILE_S)
    any_look = np.max(list(own.looks.values()), axis=0)
    looked_at = np.max([people[j].looks[target] for j in others], axis=0)
    silence_s = _since(any_partner("audio", "end")) / LABEL_RATE_HZ
    taken = own.audio["start"] * (silence_s < TAKEN_S)
    at_floor = np.max([own.looks[j] * people[j].audio["floor"] for j in others], axis=0)
    at_lips = np.max([own.looks[j] * people[j].visual["lips"] for j in others], axis=0)
    visual = own.visual
    responses = visual["nod"] + visual["raise"] + own.audio["mhm"]
    series["target", "both"] = {
        "own_looks_placed": visual["look_up"] * own_placed,
        "own_speaks_looking": own.audio["floor"] * any_look,
        "own_speaks_smiling": own.audio["floor"] * visual["smile"],
    }
    series["pair", "audio"] = {
        "mhm_placed": own.audio["mhm"] * placed,
        "taken": taken,
        "quick": taken * (silence_s < QUICK_S),
        "gap": taken * np.minimum(silence_s, TAKEN_S),
        "overlap": own.audio["floor"] * any_partner("audio", "floor"),
    }
    series["pair", "visual"] = {
        "smiles_answering": visual["smiling"] * answered,
        "looks_at_close": visual["look_up"] * closing,
        "nods_at_close": visual["nod"] * closing,
        "raises_at_close": visual["raise"] * closing,
        "looked_at": looked_at,
        "mutual": np.max([people[j].looks[target] * own.looks[j] for j in others], axis=0),
        "looks_at_lips": at_lips,
    }
    series["pair", "both"] = {
        "nods_placed": visual["nod"] * placed,
        "raises_placed": visual["raise"] * placed,
        "looks_placed": visual["look_up"] * placed,
        "gaze_placed": any_look * placed,
        "responses_placed": responses * placed,
        "responses": responses,
        "looks_at_floor": at_floor,
    }
    return series


def _levels(whose: str) -> dict[str, _Ratio]:
    return {
        f"{whose}_mean_{name}": _Ratio(f"{whose}_{name}", f"{whose}_floor", FEW_FRAMES)
        for name in ("pitch", "loudness", "rate", "liveliness")
    }


_RATIOS: dict[tuple[Who, Sense], dict[str, _Ratio]] = {
    ("target", "audio"): _levels("own"),
    ("partner", "audio"): _levels("their"),
    ("target", "both"): {
        "share_own_looks_placed": _Ratio("own_looks_placed", "own_end", FEW_EVENTS),
        "share_own_speaks_looking": _Ratio("own_speaks_looking", "own_floor", FEW_FRAMES),
    },
    ("pair", "audio"): {
        "share_mhm_placed": _Ratio("mhm_placed", "own_mhm", FEW_EVENTS),
        "share_quick": _Ratio("quick", "taken", FEW_EVENTS),
        "mean_gap": _Ratio("gap", "taken", FEW_EVENTS),
    },
    ("pair", "visual"): {
        "share_smiles_answering": _Ratio("smiles_answering", "own_smiling", FEW_EVENTS),
        "share_answered": _Ratio("smiles_answering", "their_smiling", FEW_EVENTS),
        "share_nods_at_close": _Ratio("nods_at_close", "own_nod", FEW_EVENTS),
        "share_raises_at_close": _Ratio("raises_at_close", "own_raise", FEW_EVENTS),
        "share_mutual": _Ratio("mutual", "looked_at", FEW_FRAMES),
        "share_looks_at_lips": _Ratio("looks_at_lips", "their_lips", FEW_FRAMES),
    },
    ("pair", "both"): {
        "share_nods_placed": _Ratio("nods_placed", "own_nod", FEW_EVENTS),
        "share_raises_placed": _Ratio("raises_placed", "own_raise", FEW_EVENTS),
        "share_looks_placed": _Ratio("looks_placed", "own_look_up", FEW_EVENTS),
        "share_responses_placed": _Ratio("responses_placed", "responses", FEW_EVENTS),
        "share_gaze_placed": _Ratio("gaze_placed", "their_end", FEW_FRAMES),
        "share_looks_at_floor": _Ratio("looks_at_floor", "their_floor", FEW_FRAMES),
    },
}


def _onset(state: np.ndarray) -> np.ndarray:
    """1 where `state` becomes true."""
    on = np.asarray(state) > 0.5
    return (on & ~np.concatenate([on[:1], on[:-1]])).astype(float)


def _around(track: np.ndarray, seconds: float) -> np.ndarray:
    """Mean over a window around each frame, cut off at the ends."""
    half, n = round(seconds * LABEL_RATE_HZ / 2), len(track)
    total = np.concatenate([[0.0], np.cumsum(track)])
    first, stop = np.clip(np.arange(n) - half, 0, n), np.clip(np.arange(n) + half + 1, 0, n)
    return (total[stop] - total[first]) / (stop - first)


def _after(events: np.ndarray, soonest_s: float, latest_s: float) -> np.ndarray:
    """1 where an event was between `soonest_s` and `latest_s` ago."""
    n = len(events)
    count = np.concatenate([[0.0], np.cumsum(events)])
    newest = np.clip(np.arange(n) - int(soonest_s * LABEL_RATE_HZ) + 1, 0, n)
    oldest = np.clip(np.arange(n) - int(latest_s * LABEL_RATE_HZ), 0, n)
    return np.minimum(count[newest] - count[oldest], 1)


def _since(events: np.ndarray) -> np.ndarray:
    """Frames since the last event; a very large number before the first."""
    frames = np.arange(len(events))
    return frames - np.maximum.accumulate(np.where(events > 0, frames, -(10**6)))
