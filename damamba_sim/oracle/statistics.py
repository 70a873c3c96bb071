"""What can be counted in the true channels: levels, events and responses, over windows of several lengths.

Every statistic is a sum over a window, or a ratio of two, so that one cumulative sum a stream serves all windows. Each
carries who it is about (the target, the partners, or both together) and through what it is perceived, so that a
reader's view is a choice of columns.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from damamba_sim.behaviour.processes import RATE_HZ
from damamba_sim.behaviour.scene import AWAY, SEATS

Who = Literal["target", "partner", "pair"]
Sense = Literal["audio", "visual", "both"]
SESSION = 0.0
"""As a window's length: the whole session."""
WINDOWS_S = (1.0, 4.0, 15.0, 60.0, SESSION)
RESPONSE_S = (0.04, 0.95)
"""A response to a point comes this long after it."""
SMILE_S = (0.1, 1.3)
QUICK_S, TAKEN_S = 0.35, 2.0
FEW_EVENTS, FEW_FRAMES = 2.0, 25.0
"""Ratios are drawn to zero where they rest on no more events or frames than these."""
NEAR = 0.22
"""Gaze within this of a seat looks at who sits there."""


class Statistic(NamedTuple):
    """A column."""

    who: Who
    sense: Sense
    window_s: float
    """`SESSION` for the whole of it."""
    name: str


class _Ratio(NamedTuple):
    part: str
    whole: str
    few: float


Streams = dict[tuple[Who, Sense], dict[str, np.ndarray]]


def statistics(channels: Mapping[str, np.ndarray], at: np.ndarray) -> tuple[np.ndarray, list[Statistic]]:
    """Describe a conversation from everybody's point of view.

    Args:
        channels: Those of `damamba_sim.behaviour.conversation`, each (P, T) at 25 Hz.
        at: (K,) frames around which the windows lie, cut off at the session's ends.

    Returns:
        (P, K, statistics) and what each column is.
    """
    people = _people(channels)
    rows: list[np.ndarray] = []
    columns: list[Statistic] = []
    for target in range(len(people)):
        streams, ratios = _seen_from(people, target)
        row, columns = _windowed(streams, ratios, at)
        rows.append(row)
    return np.stack(rows), columns


def _windowed(
    streams: Streams, ratios: Mapping[tuple[Who, Sense], Mapping[str, _Ratio]], at: np.ndarray
) -> tuple[np.ndarray, list[Statistic]]:
    """(K, statistics) of one target."""
    keys: list[tuple[Who, Sense, str]] = [
        (who, sense, name) for (who, sense), tracks in streams.items() for name in tracks
    ]
    place = {name: i for i, (_, _, name) in enumerate(keys)}
    tracks = np.stack([streams[who, sense][name] for who, sense, name in keys], axis=1)
    total = np.concatenate([np.zeros((1, len(keys))), np.cumsum(tracks, axis=0)])
    frames = len(tracks)
    found, columns = [], []
    for window_s in WINDOWS_S:
        half = frames if window_s == SESSION else round(window_s * RATE_HZ / 2)
        first, stop = np.clip(at - half, 0, frames), np.clip(at + half + 1, 0, frames)
        sums = total[stop] - total[first]
        found.append(sums / (stop - first)[:, None])
        columns += [Statistic(who, sense, window_s, name) for who, sense, name in keys]
        for (who, sense), asked in ratios.items():
            for name, ratio in asked.items():
                found.append((sums[:, place[ratio.part]] / (sums[:, place[ratio.whole]] + ratio.few))[:, None])
                columns.append(Statistic(who, sense, window_s, name))
    return np.concatenate(found, axis=1).astype(np.float32), columns


class _Person(NamedTuple):
    """One person's streams, each (T,)."""

    audio: dict[str, np.ndarray]
    visual: dict[str, np.ndarray]
    looks: dict[int, np.ndarray]
    """At whom, by number."""


def _people(channels: Mapping[str, np.ndarray]) -> list[_Person]:
    people = len(channels["speech"])
    found = []
    for i in range(people):
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
        look = np.abs(c["gaze_x"]) < (1 + AWAY) / 2 - 0.2
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
        seats = SEATS[people]
        others = [j for j in range(people) if j != i]
        looks = {j: (np.abs(c["gaze_x"] - seat) < NEAR) * 1.0 for j, seat in zip(others, seats, strict=True)}
        found.append(_Person(audio, {name: np.asarray(track, float) for name, track in visual.items()}, looks))
    return found


def _seen_from(people: list[_Person], target: int) -> tuple[Streams, dict[tuple[Who, Sense], dict[str, _Ratio]]]:
    own = people[target]
    others = [j for j in range(len(people)) if j != target]

    def anybody(sense: str, name: str) -> np.ndarray:
        return np.max([getattr(people[j], sense)[name] for j in others], axis=0)

    streams: Streams = {
        ("target", "audio"): {f"own_{name}": track for name, track in own.audio.items()},
        ("target", "visual"): {f"own_{name}": track for name, track in own.visual.items()},
        ("partner", "audio"): {
            f"their_{name}": np.mean([people[j].audio[name] for j in others], axis=0) for name in own.audio
        },
        ("partner", "visual"): {
            f"their_{name}": np.mean([people[j].visual[name] for j in others], axis=0) for name in own.visual
        },
    }
    # where the partners made a point, against where they merely paused: what is drawn by the one is heed
    point = _after(anybody("audio", "point"), *RESPONSE_S)
    placed = point - _after(anybody("audio", "pause"), *RESPONSE_S)
    own_placed = _after(own.audio["point"], *RESPONSE_S) - _after(own.audio["pause"], *RESPONSE_S)
    closing = _after(anybody("visual", "close"), *RESPONSE_S)
    answered = _after(anybody("visual", "smiling"), *SMILE_S)
    any_look = np.max(list(own.looks.values()), axis=0)
    looked_at = np.max([people[j].looks[target] for j in others], axis=0)
    silence_s = _since(anybody("audio", "end")) / RATE_HZ
    taken = own.audio["start"] * (silence_s < TAKEN_S)
    at_floor = np.max([own.looks[j] * people[j].audio["floor"] for j in others], axis=0)
    at_lips = np.max([own.looks[j] * people[j].visual["lips"] for j in others], axis=0)
    visual = own.visual
    responses = visual["nod"] + visual["raise"] + own.audio["mhm"]
    streams["target", "both"] = {
        "own_looks_placed": visual["look_up"] * own_placed,
        "own_speaks_looking": own.audio["floor"] * any_look,
        "own_speaks_smiling": own.audio["floor"] * visual["smile"],
    }
    streams["pair", "audio"] = {
        "mhm_placed": own.audio["mhm"] * placed,
        "taken": taken,
        "quick": taken * (silence_s < QUICK_S),
        "gap": taken * np.minimum(silence_s, TAKEN_S),
        "overlap": own.audio["floor"] * anybody("audio", "floor"),
    }
    streams["pair", "visual"] = {
        "smiles_answering": visual["smiling"] * answered,
        "looks_at_close": visual["look_up"] * closing,
        "nods_at_close": visual["nod"] * closing,
        "raises_at_close": visual["raise"] * closing,
        "looked_at": looked_at,
        "mutual": np.max([people[j].looks[target] * own.looks[j] for j in others], axis=0),
        "looks_at_lips": at_lips,
    }
    streams["pair", "both"] = {
        "nods_placed": visual["nod"] * placed,
        "raises_placed": visual["raise"] * placed,
        "looks_placed": visual["look_up"] * placed,
        "gaze_placed": any_look * placed,
        "responses_placed": responses * placed,
        "responses": responses,
        "looks_at_floor": at_floor,
    }
    return streams, _RATIOS


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
    """Mean within a window around each frame, cut off at the ends."""
    half, n = round(seconds * RATE_HZ / 2), len(track)
    total = np.concatenate([[0.0], np.cumsum(track)])
    first, stop = np.clip(np.arange(n) - half, 0, n), np.clip(np.arange(n) + half + 1, 0, n)
    return (total[stop] - total[first]) / (stop - first)


def _after(events: np.ndarray, soonest_s: float, latest_s: float) -> np.ndarray:
    """1 where an event lies that long ago."""
    n = len(events)
    count = np.concatenate([[0.0], np.cumsum(events)])
    newest = np.clip(np.arange(n) - int(soonest_s * RATE_HZ) + 1, 0, n)
    oldest = np.clip(np.arange(n) - int(latest_s * RATE_HZ), 0, n)
    return np.minimum(count[newest] - count[oldest], 1)


def _since(events: np.ndarray) -> np.ndarray:
    """Frames since the last event; very many before the first."""
    frames = np.arange(len(events))
    return frames - np.maximum.accumulate(np.where(events > 0, frames, -(10**6)))
