"""A corpus as others have it: CSV of three streams at other rates, 1 Hz ratings, groups of five.

In every session a tutor takes part, who is never rated; one guest comes late, one rating ends early, a camera stops for
a while. Everybody's engagement rises at an instant of their own, `event_s`, and so does channel 0 of every stream.
"""

from pathlib import Path

import numpy as np

SESSIONS = tuple(f"s{k:02d}" for k in range(1, 4))
GUESTS = ("p1", "p2", "p3", "p4")
LENGTH_S = 40.0
LATE_S = 12.0
"""When p4 comes."""
EARLY_S = 30.0
"""When the rating of p3 ends."""
GAP_S = (5.0, 8.0)
"""In which the camera of p2 stands still."""


def event_s(session: str, participant: str) -> float:
    """When the participant's engagement rises."""
    return 15.0 + 2 * int(session[1:]) % 9 + ("tutor", *GUESTS).index(participant)


def times_s(stream: str, session: str, participant: str) -> np.ndarray:
    """Times of the rows: the face at 30 Hz, the voice at 10 Hz, the heart whenever it beats."""
    begin = LATE_S if participant == "p4" else 0.0
    if stream == "face":
        t = np.arange(round(begin * 30), round(LENGTH_S * 30)) / 30
        return t[(t < GAP_S[0]) | (t >= GAP_S[1])] if participant == "p2" else t
    if stream == "voice":
        return np.arange(round(begin * 10), round(LENGTH_S * 10)) / 10
    rng = np.random.default_rng([int(session[1:]), len(participant), ord(participant[-1])])
    t = begin + np.cumsum(rng.uniform(0.5, 1.1, 100))
    return np.round(t[t < LENGTH_S], 3)


def build(root: Path) -> None:
    """Write features into ``raw/SESSION/PARTICIPANT.STREAM.csv`` and ratings into ``data/recordings``."""
    for session in SESSIONS:
        for participant in ("tutor", *GUESTS):
            event = event_s(session, participant)
            rng = np.random.default_rng([int(session[1:]), len(participant), ord(participant[-1]), 1])
            for stream in ("face", "voice", "heart"):
                t = times_s(stream, session, participant)
                folder = root / "raw" / session
                folder.mkdir(parents=True, exist_ok=True)
                x = np.column_stack([(t >= event) * 1.0 + 0.01 * rng.normal(size=len(t)), rng.normal(size=len(t))])
                lines = [f"{a:.3f},{b:.4f},{c:.4f}" for a, (b, c) in zip(t, x, strict=True)]
                (folder / f"{participant}.{stream}.csv").write_text("\n".join(["time,level,noise", *lines]) + "\n")
            if participant != "tutor":
                _rate(root / "data/recordings" / session, participant, event)


def _rate(folder: Path, participant: str, event: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    end = EARLY_S if participant == "p3" else LENGTH_S
    begin = LATE_S if participant == "p4" else 0.0
    rows = [f"{t:g};{0.2 + 0.6 * (t >= event):g}" for t in np.arange(begin, end)]
    (folder / f"{participant}.engagement.csv").write_text("\n".join(["time;engagement", *rows]) + "\n")
