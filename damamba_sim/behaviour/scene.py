"""What the parts of the behaviour model share: its constants, the people's temperaments, phrases."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

DIRECT = ("pitch", "loudness", "rate", "liveliness", "smile", "brow", "lean", "eye", "gaze", "motion", "fidget")
"""Cues whose level shows engagement."""
SEATS = {2: (0.0,), 3: (-0.35, 0.35), 4: (-0.55, 0.0, 0.55)}
"""Where the others sit, in units of gaze; `AWAY` is past all of them."""
AWAY = 0.95
UNIT = 0.25
"""Engagement e enters the direct cues as x = (e - 0.5) / UNIT, which has a standard deviation of about 1."""


class Manner(NamedTuple):
    """How conversation differs between languages: illustrative, to be checked against the literature."""

    gap_s: float
    """Added to the gap between turns."""
    backchannels: float
    """Factor on how many there are."""
    pitch: float
    """Factor on movements of pitch."""
    looking: float
    """Added to the share of time looking at somebody."""


MANNERS = {
    "en": Manner(0.00, 1.0, 1.0, 0.00),
    "fr": Manner(0.03, 0.9, 1.0, 0.00),
    "de": Manner(0.00, 1.0, 0.9, 0.00),
    "ar": Manner(0.02, 1.1, 1.1, 0.03),
    "it": Manner(-0.05, 1.0, 1.2, 0.05),
    "id": Manner(0.02, 1.1, 1.0, -0.05),
    "es": Manner(-0.03, 1.0, 1.1, 0.03),
}


@dataclass(frozen=True)
class Law:
    """Constants of the model. Sizes of direct cues are a unit of x, see `UNIT`; q_ are chances."""

    level: float = 0.0
    """Engagement of the average person, logits."""
    spread: float = 1.45
    """Logits a unit of z, the sum of the next five parts."""
    person: float = 0.85
    contrast: float = 0.1
    """Share of the others' mean taken off a person's part: where one leads, another waits."""
    topic: float = 0.45
    """Episodes of about 70 s, half shared."""
    wander: float = 0.4
    flicker: float = 0.1
    coupling: float = 0.3
    """Weight of the partners' movement, 1-3 s later."""
    tension: float = 1.3
    """n: raises audio, lowers video; each person's own."""
    mood: float = 1.5
    """h: raises both; shared by everyone in the session."""
    baseline: float = 0.8
    """A person's habit in each direct cue."""
    gains: float = 0.2
    """Log spread of a person's gain on each direct cue."""
    shared: float = 1.0
    """How much of the slow ties between people there is: one mood for all, coupling, the floor; 0: none."""
    phrase_noise: float = 1.0
    """Prosody, from phrase to phrase."""
    slow_noise: float = 1.0
    """Posture and expression, over seconds."""
    timing: float = 1.0
    """How much engagement decides that responses come where the partner made a point; 0: not at all."""
    displaced: float = 0.65
    """Share of the heedless' responses that come in a mere pause; the others do not come."""
    floor: float = 0.2
    """Engagement's pull on the floor."""
    quick_s: float = 0.10
    """Longer gap before the disengaged speak, s a unit of e."""
    q_nod: float = 1.0
    """Responses to a phrase of the partner that makes a point."""
    q_vocal: float = 0.8
    habit: float = 0.40
    """Share of "mhm" whose timing says nothing."""
    eager: float = 0.40
    """Of the "mhm" at a point made, share that also comes where none was."""
    q_brow: float = 0.7
    q_look: float = 1.0
    """Looks drawn by the end of a phrase; half for the speaker."""
    follow: float = 0.60
    """Share of the engaged's looks that go where the floor is."""
    q_smile: float = 0.75
    """Answers to a smile."""
    smiles: float = 2.2
    """Smiles a minute that nobody caused."""


LAWS = {
    "full": Law(),
    "brief": Law(
        displaced=1.0,
        person=1.0,
        contrast=0.12,
        topic=0.2,
        wander=0.2,
        flicker=0.06,
        coupling=0.1,
        tension=0.6,
        mood=1.05,
        baseline=0.25,
        gains=0.1,
        phrase_noise=0.3,
        slow_noise=0.3,
        floor=0.15,
        q_nod=0.9,
        q_vocal=0.9,
        q_brow=0.5,
        q_look=0.6,
    ),
}
"""`full` takes minutes to read: habits are strong and levels noisy. `brief` is for sessions of seconds: weak habits."""


@dataclass(frozen=True)
class Phrase:
    """Something said without a pause."""

    speaker: int
    start_s: float
    end_s: float
    complete: bool = False
    """It makes a point: pitch falls at its end, and the engaged respond there."""
    backchannel: bool = False
    """Said without taking the floor."""
    pitch_st: float = 0.0
    """Median pitch over the speaker's own, semitones."""
    loudness_db: float = 0.0
    """Over the speaker's own."""
    rate: float = 1.0
    """Speed over the speaker's own."""
    liveliness: float = 1.0
    """Pitch range over the speaker's own."""

    def frames(self, n: int, rate_hz: float = 25) -> slice:
        """Its rows in a track of `n` rows."""
        return slice(min(int(self.start_s * rate_hz), n), min(int(self.end_s * rate_hz), n))


class Temperament:
    """What somebody is like whatever the engagement."""

    def __init__(self, rng: np.random.Generator, law: Law) -> None:
        self.bias = {cue: law.baseline * rng.normal() for cue in DIRECT}
        self.gain = {cue: float(np.exp(law.gains * rng.normal())) for cue in DIRECT}
        self.talkative = 0.4 * rng.normal()
        self.nods, self.vocal, self.brows, self.smiles = np.exp(0.25 * rng.normal(size=4))

    def show(self, cue: str, drive: np.ndarray) -> np.ndarray:
        """Level of a direct cue under a drive."""
        return self.gain[cue] * drive + self.bias[cue]


@dataclass
class Scene:
    """A conversation while it is being made; tracks are (P, T)."""

    law: Law
    manner: Manner
    people: list[Temperament]
    engagement: np.ndarray
    heed: np.ndarray
    """Chance that a response comes where the partner made a point."""
    voice_drive: np.ndarray
    """x + n + h: what audio shows."""
    body_drive: np.ndarray
    """x - n + h: what video shows."""
    phrases: list[Phrase] = field(default_factory=list)
    channels: dict[str, np.ndarray] = field(default_factory=dict)

    def track(self, name: str, value: float = 0.0) -> np.ndarray:
        """The channel `name`, made if it is not there yet."""
        return self.channels.setdefault(name, np.full(self.engagement.shape, value))

    @property
    def size(self) -> tuple[int, int]:
        """(P, T)."""
        people, frames = self.engagement.shape
        return people, frames

    def others(self, person: int) -> list[int]:
        """Everybody else, in the order of seats."""
        return [other for other in range(self.size[0]) if other != person]

    def now(self, track: np.ndarray, person: int, t_s: float) -> float:
        """Value of a track at a time, the last one beyond its end."""
        return float(track[person, min(int(t_s * 25), track.shape[1] - 1)])
