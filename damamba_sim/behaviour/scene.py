"""What the parts of the behaviour model share: constants (`Law`), temperaments, phrases, and the `Scene`."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from damamba.config import LABEL_RATE_HZ

DIRECT_CUES = ("pitch", "loudness", "rate", "liveliness", "smile", "brow", "lean", "eye", "gaze", "motion", "fidget")
"""Cues whose level shows engagement."""
SEAT_GAZE = {2: (0.0,), 3: (-0.35, 0.35), 4: (-0.55, 0.0, 0.55)}
"""Number of people: horizontal gaze at each of the others, in seat order."""
AWAY_GAZE = 0.95
"""Horizontal gaze past all of the others."""
ENGAGEMENT_UNIT = 0.25
"""Engagement e enters the direct cues as x = (e - 0.5) / ENGAGEMENT_UNIT, with a standard deviation of about 1."""


class Manner(NamedTuple):
    """How conversation differs between languages; the values are illustrative, not taken from the literature."""

    gap_s: float
    """Added to the gap between turns."""
    backchannels: float
    """Factor on their number."""
    pitch: float
    """Factor on movements of pitch."""
    looking: float
    """Added to the share of time spent looking at someone."""


MANNERS = {
    "en": Manner(0.00, 1.0, 1.0, 0.00),
    "fr": Manner(0.03, 0.9, 1.0, 0.00),
    "de": Manner(0.00, 1.0, 0.9, 0.00),
    "ar": Manner(0.02, 1.1, 1.1, 0.03),
    "it": Manner(-0.05, 1.0, 1.2, 0.05),
    "id": Manner(0.02, 1.1, 1.0, -0.05),
    "es": Manner(-0.03, 1.0, 1.1, 0.03),
}
"""By language; each also has a voice (`voices.speech.LANGUAGES`) and phrases (`voices.phrases.GRAMMARS`)."""


@dataclass(frozen=True)
class Law:
    """Constants of the behaviour model. Sizes of direct cues are in units of x (see `ENGAGEMENT_UNIT`)."""

    level: float = 0.0
    """Engagement of the average person, logits."""
    spread: float = 1.0
    """Logits per unit of z, the weighted sum of six parts: person, topic, drift, stance, flicker, coupling."""
    person: float = 0.35
    """Level of the person, constant in a session."""
    topic: float = 0.15
    """Episodes of about 70 s, half shared."""
    drift: float = 0.4
    """Movement with a time constant of 23 s."""
    stance: float = 0.65
    """Movement with a time constant of 3.3 s."""
    flicker: float = 0.33
    """Movement within about a second."""
    coupling: float = 0.8
    """Weight of the partners' movement, 0.6-1 s later. The direct cues of the person who is moved do not show it."""
    tension: float = 0.4
    """n: raises the cues that are heard and lowers those that are seen. A level of the person's own in a session."""
    tension_moves: float = 0.75
    """Movement of n, with a time constant of 6 s."""
    mood: float = 0.4
    """h: raises both, and everyone in the session shares it. A level of the session."""
    mood_moves: float = 0.2
    """Movement of h, with a time constant of 6 s."""
    baseline: float = 0.25
    """A person's habit in each direct cue."""
    gains: float = 0.1
    """Log spread of a person's gain on each direct cue."""
    shared: float = 1.0
    """Strength of the ties between people (one mood for all, coupling, the floor): 1 full, 0 none."""
    phrase_noise: float = 0.1
    """Variation of prosody from phrase to phrase."""
    slow_noise: float = 0.08
    """Variation of posture and expression over seconds."""
    timing: float = 1.0
    """How strongly engagement decides that responses come where the partner made a point; 0: not at all."""
    floor: float = 0.15
    """How much engagement helps to get the floor."""
    quick_s: float = 0.10
    """How much later the disengaged take their turn, s per unit of e."""
    q_nod: float = 0.9
    """Chance of a nod in response to the partner's point."""
    q_vocal: float = 0.9
    """Chance of a "mhm" in response to the partner's point."""
    habit: float = 0.40
    """Share of the "mhm" whose timing does not depend on engagement."""
    eager: float = 0.40
    """Chance of a "mhm" where no point was made, relative to that at a point."""
    q_brow: float = 0.5
    """Chance of raised brows in response to the partner's point."""
    q_look: float = 0.6
    """Chance of a look at the end of a phrase; half as much for the speaker."""
    follow: float = 0.60
    """Share of the engaged people's looks that go to the speaker."""
    q_smile: float = 0.75
    """Chance of a smile in response to a smile."""
    smiles: float = 2.2
    """Spontaneous smiles a minute."""


@dataclass(frozen=True)
class Phrase:
    """Speech without a pause."""

    speaker: int
    start_s: float
    end_s: float
    complete: bool = False
    """Whether it makes a point: pitch falls at its end, and engaged listeners respond there."""
    backchannel: bool = False
    """Whether it is said without taking the floor."""
    pitch_st: float = 0.0
    """Median pitch relative to the speaker's own, semitones."""
    loudness_db: float = 0.0
    """Relative to the speaker's own."""
    rate: float = 1.0
    """Speed, as a factor on the speaker's own."""
    liveliness: float = 1.0
    """Pitch range, as a factor on the speaker's own."""

    def frames(self, n: int) -> slice:
        """Its rows in a track of `n` rows at 25 Hz."""
        return slice(min(int(self.start_s * LABEL_RATE_HZ), n), min(int(self.end_s * LABEL_RATE_HZ), n))


class Temperament:
    """Habits of one person, independent of engagement."""

    def __init__(self, rng: np.random.Generator, law: Law) -> None:
        self.bias = {cue: law.baseline * rng.normal() for cue in DIRECT_CUES}
        self.gain = {cue: float(np.exp(law.gains * rng.normal())) for cue in DIRECT_CUES}
        self.talkative = 0.4 * rng.normal()
        self.nods, self.vocal, self.brows, self.smiles = np.exp(0.25 * rng.normal(size=4))

    def show(self, cue: str, drive: np.ndarray) -> np.ndarray:
        """Level of a direct cue under a drive."""
        return self.gain[cue] * drive + self.bias[cue]


@dataclass
class Scene:
    """A conversation while it is generated; tracks are (P, T)."""

    law: Law
    manner: Manner
    people: list[Temperament]
    engagement: np.ndarray
    attentiveness: np.ndarray
    """Chance that a response comes where the partner made a point."""
    voice_drive: np.ndarray
    """x + n + h, which drives the cues that are heard."""
    body_drive: np.ndarray
    """x - n + h, which drives the cues that are seen."""
    phrases: list[Phrase] = field(default_factory=list)
    channels: dict[str, np.ndarray] = field(default_factory=dict)

    def track(self, name: str, value: float = 0.0) -> np.ndarray:
        """The channel `name`, filled with `value` if it does not exist yet."""
        return self.channels.setdefault(name, np.full(self.engagement.shape, value))

    @property
    def size(self) -> tuple[int, int]:
        """(P, T)."""
        people, frames = self.engagement.shape
        return people, frames

    def others(self, person: int) -> list[int]:
        """All other people, in seat order."""
        return [other for other in range(self.size[0]) if other != person]

    def value_at(self, track: np.ndarray, person: int, t_s: float) -> float:
        """Value of a track at a time; beyond its end, the last one."""
        return float(track[person, min(int(t_s * LABEL_RATE_HZ), track.shape[1] - 1)])
