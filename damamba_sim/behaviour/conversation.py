"""A behaviour model of people in conversation: engagement in, channels at 25 Hz out.

Two ideas.

1. *Direct cues are confounded.* Audio shows x + n + h, video x - n + h, each with the person's habits on top: x is
   engagement, n a person's tension, h a mood that everyone in the session shares. So n cancels over the two
   modalities and h over the participants: a reader needs both, and the partner.
2. *Contingent cues are free of habits.* How often somebody nods, looks up or says "mhm" is temperament; whether it
   comes where the partner has made a point, and not in a mere pause, is engagement.

Marginals look like people (gaps of about 0.2 s between turns, 17 blinks a minute), but nothing here is fitted to
recordings: results on this corpus say that the machinery works, not how engaged people behave.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from damamba.console import InputError
from damamba_sim.behaviour.gestures import glance, move, mumble, respond, smile
from damamba_sim.behaviour.processes import RATE_HZ, late, logistic, smooth, wander
from damamba_sim.behaviour.scene import MANNERS, SEATS, UNIT, Law, Phrase, Scene, Temperament
from damamba_sim.behaviour.turns import VOICE_CHANNELS, deliver, listen, take_turns, voice_channels

TALKATIVE = {"expert": 0.35, "novice": -0.35}
"""Roles that speak more or less."""
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
    """What happened; frame k is at k / 25 s."""

    engagement: np.ndarray
    """(P, T) in [0, 1]."""
    channels: dict[str, np.ndarray]
    """`VOICE_CHANNELS` and `BODY_CHANNELS`, each (P, T)."""
    phrases: tuple[Phrase, ...]
    """By start; the backchannels too."""


@dataclass(frozen=True)
class Standing:
    """Quantiles in (0, 1) of what a session's people bring along, where they are not left to chance."""

    engagement: tuple[float, ...]
    """Of each participant."""
    mood: float


def converse(
    seed: int,
    participants: int,
    minutes: float,
    language: str,
    roles: Sequence[str] = (),
    law: Law | None = None,
    standing: Standing | None = None,
) -> Conversation:
    """Simulate a conversation.

    Args:
        seed: Everything follows from it, one stream an aspect.
        participants: 2 to 4.
        minutes: Length.
        language: Code; sets manners such as the pause between turns.
        roles: One a participant; ``expert`` speaks more, ``novice`` less, others are as they are.
        law: Constants; None = the defaults.
        standing: Who is engaged and what the mood is; None = drawn.

    Raises:
        InputError: A number of participants, a length or a language that the model does not have.
    """
    law = law or Law()
    frames = round(minutes * 60 * RATE_HZ)
    if participants not in SEATS:
        raise InputError(f"simulate: {participants} participants; a conversation has {min(SEATS)} to {max(SEATS)}")
    if frames < RATE_HZ:
        raise InputError(f"simulate.minutes: {minutes:g} is too short; a conversation lasts at least a second (0.017)")
    if language not in MANNERS:
        raise InputError(f"simulate: no manners for language {language!r}; there are {', '.join(MANNERS)}")
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(10)]
    people = [Temperament(np.random.default_rng(s), law) for s in np.random.SeedSequence((seed, 1)).spawn(participants)]
    for person, role in zip(people, roles, strict=False):
        person.talkative += TALKATIVE.get(role, 0.0)

    engagement = _engagement(streams[0], participants, frames, law, standing)
    voice, body = _drives(streams[1], engagement, law, standing)
    heed = 0.5 + law.timing * (logistic((engagement - 0.5) / 0.11) - 0.5)
    scene = Scene(law, MANNERS[language], people, engagement, heed, voice, body)
    take_turns(streams[2], scene)
    listen(streams[3], scene)
    scene.phrases = [deliver(streams[4], scene, phrase) for phrase in scene.phrases]
    scene.channels.update(voice_channels(scene.phrases, participants, frames))
    nods = respond(streams[5], scene)
    smile(streams[6], scene)
    move(streams[8], scene, nods, glance(streams[7], scene))
    mumble(streams[9], scene)
    scene.track("present", 1.0)
    channels = {name: scene.track(name) for name in VOICE_CHANNELS + BODY_CHANNELS}
    return Conversation(engagement, channels, tuple(scene.phrases))


def _engagement(rng: np.random.Generator, people: int, frames: int, law: Law, standing: Standing | None) -> np.ndarray:
    """(P, T): person, topic episodes, wandering, flicker, and the partners' movement 1-3 s later."""
    bounds = np.cumsum(rng.lognormal(np.log(70), 0.4, size=frames // 250 + 4)) * RATE_HZ
    episode = np.searchsorted(bounds, np.arange(frames))
    shared = rng.normal(size=episode[-1] + 1)
    moving = np.empty((people, frames))
    for i in range(people):
        interest = 0.5 * shared + 0.87 * rng.normal(size=len(shared))
        moving[i] = law.topic * smooth(interest[episode], 3)
        moving[i] += law.wander * wander(rng, frames, 45) + law.flicker * wander(rng, frames, 5)
    own = rng.normal(size=people)
    if standing:
        own = np.array([_normal(q) for q in standing.engagement])
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
    rng: np.random.Generator, engagement: np.ndarray, law: Law, standing: Standing | None
) -> tuple[np.ndarray, np.ndarray]:
    """What audio shows, x + n + h, and what video shows, x - n + h; each (P, T)."""
    frames = engagement.shape[1]
    x = (engagement - 0.5) / UNIT
    constant = rng.normal()
    if standing:
        constant = _normal(standing.mood)
    mood = 0.95 * constant + 0.3 * wander(rng, frames, 40)
    if law.shared < 1:  # everybody has a mood of their own, as far as it is not shared
        own = np.stack([0.95 * rng.normal() + 0.3 * wander(rng, frames, 40) for _ in engagement])
        mood = np.sqrt(law.shared) * mood + np.sqrt(1 - law.shared) * own
    mood = law.mood * mood
    tension = np.stack([law.tension * (0.9 * rng.normal() + 0.4 * wander(rng, frames, 30)) for _ in engagement])
    return x + tension + mood, x - tension + mood


def _normal(quantile: float) -> float:
    """Standard normal of a quantile; nobody is beyond 1.6 standard deviations, where faces and voices saturate."""
    return NormalDist().inv_cdf(min(max(quantile, 0.05), 0.95))
