"""A behaviour model of people in conversation: engagement in, channels at 25 Hz out.

Two ideas:

1. *Direct cues are confounded.* What is heard shows x + n + h, what is seen x - n + h, each with the person's habits on
   top: x is engagement, n a person's tension, h a mood that everyone in the session shares. So n cancels over the two
   modalities and h over the participants: a reader needs both modalities and the partner.
2. *Contingent cues are free of habits.* How often someone nods, looks up or says "mhm" is temperament. Engagement
   decides whether it comes where the partner has made a *point* (a phrase that ends with falling pitch) and not in a
   mere pause.

Distributions are plausible (gaps of about 0.2 s between turns, 17 blinks a minute), but nothing is fitted to
recordings: results on this corpus show that the machinery works, not how engaged people behave.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from damamba.config import LABEL_RATE_HZ
from damamba.console import InputError
from damamba_sim.behaviour.gestures import glance, move, mumble, respond, smile
from damamba_sim.behaviour.processes import late, logistic, smooth, wander
from damamba_sim.behaviour.scene import ENGAGEMENT_UNIT, MANNERS, SEAT_GAZE, Law, Phrase, Scene, Temperament
from damamba_sim.behaviour.turns import VOICE_CHANNELS, add_backchannels, add_prosody, take_turns, voice_channels

TALKATIVE = {"expert": 0.35, "novice": -0.35}
"""Added to how talkative a person is, by role."""
BODY_CHANNELS = (
    "mouth",
    "eye",
    "gaze_x",
    "gaze_y",
    "smile",
    "brow",
    "yaw",
    "pitch",
    "roll",
    "nod",
    "lean",
    "shift_x",
    "hand",
    "present",
)


@dataclass(frozen=True)
class Conversation:
    """A finished conversation; frame k is at k / 25 s."""

    engagement: np.ndarray
    """(P, T) in [0, 1]."""
    channels: dict[str, np.ndarray]
    """`VOICE_CHANNELS` and `BODY_CHANNELS`, each (P, T)."""
    phrases: tuple[Phrase, ...]
    """In order of start, backchannels included."""


@dataclass(frozen=True)
class SessionQuantiles:
    """Quantiles in (0, 1) that fix a session's engagement and mood instead of drawing them."""

    engagement: tuple[float, ...]
    """The constant part of each participant's engagement."""
    mood: float


def converse(
    seed: int,
    participants: int,
    minutes: float,
    language: str,
    roles: Sequence[str] = (),
    law: Law | None = None,
    quantiles: SessionQuantiles | None = None,
) -> Conversation:
    """Simulate a conversation.

    Args:
        seed: Seed of all random numbers; each aspect has its own stream.
        participants: 2 to 4.
        minutes: Length.
        language: Code, which sets manners such as the gap between turns.
        roles: One a participant: ``expert`` speaks more, ``novice`` less; other roles change nothing.
        law: Constants; None = the defaults.
        quantiles: Engagement of the participants and mood; None = drawn.

    Raises:
        InputError: The model does not support this number of participants, length or language.
    """
    law = law or Law()
    frames = round(minutes * 60 * LABEL_RATE_HZ)
    if participants not in SEAT_GAZE:
        fewest, most = min(SEAT_GAZE), max(SEAT_GAZE)
        raise InputError(f"simulate: {participants} participants; a conversation has {fewest} to {most}")
    if frames < LABEL_RATE_HZ:
        raise InputError(f"simulate.minutes: {minutes:g} is too short; a conversation lasts at least a second (0.017)")
    if language not in MANNERS:
        raise InputError(f"simulate: no manners for language {language!r}; use one of {', '.join(MANNERS)}")
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(10)]
    people = [Temperament(np.random.default_rng(s), law) for s in np.random.SeedSequence((seed, 1)).spawn(participants)]
    for person, role in zip(people, roles, strict=False):
        person.talkative += TALKATIVE.get(role, 0.0)

    engagement = _engagement(streams[0], participants, frames, law, quantiles)
    voice, body = _drives(streams[1], engagement, law, quantiles)
    attentiveness = 0.5 + law.timing * (logistic((engagement - 0.5) / 0.11) - 0.5)
    scene = Scene(law, MANNERS[language], people, engagement, attentiveness, voice, body)
    take_turns(streams[2], scene)
    add_backchannels(streams[3], scene)
    scene.phrases = [add_prosody(streams[4], scene, phrase) for phrase in scene.phrases]
    scene.channels.update(voice_channels(scene.phrases, participants, frames))
    nods = respond(streams[5], scene)
    smile(streams[6], scene)
    move(streams[8], scene, nods, glance(streams[7], scene))
    mumble(streams[9], scene)
    scene.track("present", 1.0)
    channels = {name: scene.track(name) for name in VOICE_CHANNELS + BODY_CHANNELS}
    return Conversation(engagement, channels, tuple(scene.phrases))


def _engagement(
    rng: np.random.Generator, people: int, frames: int, law: Law, quantiles: SessionQuantiles | None
) -> np.ndarray:
    """(P, T): person, topic episodes, slow drift, flicker, and the partners' movement 1-3 s later."""
    bounds = np.cumsum(rng.lognormal(np.log(70), 0.4, size=frames // 250 + 4)) * LABEL_RATE_HZ
    episode = np.searchsorted(bounds, np.arange(frames))
    shared = rng.normal(size=episode[-1] + 1)
    moving = np.empty((people, frames))
    for i in range(people):
        interest = 0.5 * shared + 0.87 * rng.normal(size=len(shared))
        moving[i] = law.topic * smooth(interest[episode], 3)
        moving[i] += law.wander * wander(rng, frames, 45) + law.flicker * wander(rng, frames, 5)
    own = rng.normal(size=people)
    if quantiles:
        own = np.array([_normal(q) for q in quantiles.engagement])
    contrast = law.shared * law.contrast
    own = own - contrast * (own.sum() - own) / (people - 1)
    own = own / np.sqrt(1 + contrast**2 / (people - 1))
    z = np.empty_like(moving)
    for i in range(people):
        others = [late(moving[j], rng.uniform(1, 3)) for j in range(people) if j != i]
        pull = law.shared * law.coupling * np.mean(others, axis=0) * np.sqrt(len(others))
        z[i] = law.person * own[i] + moving[i] + pull
    return logistic(law.level + law.spread * z)


def _drives(
    rng: np.random.Generator, engagement: np.ndarray, law: Law, quantiles: SessionQuantiles | None
) -> tuple[np.ndarray, np.ndarray]:
    """What is heard, x + n + h, and what is seen, x - n + h; each (P, T)."""
    frames = engagement.shape[1]
    x = (engagement - 0.5) / ENGAGEMENT_UNIT
    constant = rng.normal()
    if quantiles:
        constant = _normal(quantiles.mood)
    mood = 0.95 * constant + 0.3 * wander(rng, frames, 40)
    if law.shared < 1:  # the part of the mood that is not shared is each person's own
        own = np.stack([0.95 * rng.normal() + 0.3 * wander(rng, frames, 40) for _ in engagement])
        mood = np.sqrt(law.shared) * mood + np.sqrt(1 - law.shared) * own
    mood = law.mood * mood
    tension = np.stack([law.tension * (0.9 * rng.normal() + 0.4 * wander(rng, frames, 30)) for _ in engagement])
    return x + tension + mood, x - tension + mood


def _normal(quantile: float) -> float:
    """Standard normal value at a quantile, at most 1.6 either way: beyond, faces and voices saturate."""
    return NormalDist().inv_cdf(min(max(quantile, 0.05), 0.95))
