"""A behaviour model of people in conversation: engagement in, channels at 25 Hz out.

Three ideas:

1. *Direct cues are confounded.* What is heard shows x + n + h, what is seen x - n + h, each with the person's habits on
   top: x is the person's own engagement, n their tension, h a mood that everyone in the session shares. All of them
   move within seconds. n cancels over the two modalities and h over the participants: a reader needs both modalities
   and the partner.
2. *Engagement is contagious.* It follows the partners' own movement by 0.6 to 1 s, and this part of it shows in the
   partners' cues alone.
3. *Contingent cues are free of habits.* How often someone nods, looks up or says "mhm" is temperament. Engagement
   decides whether it comes where the partner has made a *point* (a phrase that ends with falling pitch) and not in a
   mere pause.

How fast engagement moves, and how much of it lies within people, is fitted to published statistics of real labels
(docs/simulator.md). Other distributions are plausible (gaps of about 0.2 s between turns, 17 blinks a minute), but
nothing is fitted to recordings: results on this corpus show that the machinery works, not how engaged people behave.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from damamba.config import LABEL_RATE_HZ
from damamba.console import InputError
from damamba_sim.behaviour.engagement import SessionQuantiles, drives, engage
from damamba_sim.behaviour.gestures import glance, move, mumble, respond, smile
from damamba_sim.behaviour.processes import logistic
from damamba_sim.behaviour.scene import MANNERS, SEAT_GAZE, Law, Phrase, Scene, Temperament
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

    engagement, shown = engage(streams[0], participants, frames, law, quantiles)
    voice, body = drives(streams[1], shown, law, quantiles)
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
