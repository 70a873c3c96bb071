"""Who speaks when, with which prosody, and the backchannels of the listeners."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from damamba.config import LABEL_RATE_HZ
from damamba_sim.behaviour.processes import logistic
from damamba_sim.behaviour.scene import Phrase, Scene

VOICE_CHANNELS = ("speech", "backchannel", "fall", "voice_pitch", "loudness", "rate", "liveliness")
FALL_S = 0.4
"""Duration of the falling pitch at a point."""


def latency_s(rng: np.random.Generator) -> float:
    """Time from a point to the response."""
    return float(np.clip(rng.lognormal(np.log(0.3), 0.35), 0.12, 0.8))


def take_turns(rng: np.random.Generator, scene: Scene) -> None:
    """Fill `scene.phrases`: a semi-Markov process in which talkative and engaged people get the floor more often."""
    law, (people, frames) = scene.law, scene.size

    def appetite(person: int, t_s: float) -> float:
        x = (scene.value_at(scene.engagement, person, t_s) - 0.5) * 4
        return scene.people[person].talkative + law.shared * law.floor * x

    t_s, speaker = rng.uniform(0, 1), int(rng.integers(people))
    while t_s < frames / LABEL_RATE_HZ:
        length_s = float(np.clip(rng.lognormal(np.log(1.4), 0.4), 0.85, 5))
        complete = bool(rng.random() < 0.55)
        others = scene.others(speaker)
        weight = np.exp([appetite(other, t_s) for other in others])
        rival = others[int(rng.choice(len(others), p=weight / weight.sum()))]
        if rng.random() < 0.04 * np.exp(0.3 * appetite(rival, t_s)) and length_s > 1.5:  # an interruption
            scene.phrases.append(Phrase(speaker, t_s, t_s + length_s))
            t_s, speaker = t_s + length_s - rng.uniform(0.3, 1.0), rival
            continue
        scene.phrases.append(Phrase(speaker, t_s, t_s + length_s, complete))
        t_s += length_s
        keeps = logistic(appetite(speaker, t_s) - np.log(weight.mean()) - 0.3)
        if not complete or rng.random() < keeps:
            t_s += float(np.clip(rng.lognormal(np.log(0.45), 0.5), 0.15, 2.5))
        else:
            slow_s = law.quick_s * (0.5 - scene.value_at(scene.engagement, rival, t_s))
            gap_s = rng.normal(0.22 + scene.manner.gap_s + slow_s, 0.28)
            t_s, speaker = max(t_s + gap_s, scene.phrases[-1].start_s + 0.6), rival
            if rng.random() < 0.05:  # a lapse
                t_s += rng.exponential(1.5)


def add_prosody(rng: np.random.Generator, scene: Scene, phrase: Phrase) -> Phrase:
    """The phrase with prosody that follows from the speaker's drive."""
    frames = scene.size[1]
    rows = phrase.frames(frames)
    first = min(rows.start, frames - 1)
    drive = scene.voice_drive[phrase.speaker, first : max(rows.stop, first + 1)].mean()
    person = scene.people[phrase.speaker]

    def level(cue: str) -> float:
        return float(person.show(cue, drive) + scene.law.phrase_noise * rng.normal())

    return replace(
        phrase,
        pitch_st=float(np.clip(1.2 * scene.manner.pitch * level("pitch"), -5, 6)),
        loudness_db=float(np.clip(2.6 * level("loudness"), -12, 12)),
        rate=float(np.clip(np.exp(0.08 * level("rate")), 0.68, 1.5)),
        liveliness=float(np.clip(np.exp(0.25 * level("liveliness")), 0.3, 2.6)),
    )


def response_s(rng: np.random.Generator, scene: Scene, listener: int, phrase: Phrase, habit: float = 0.0) -> float:
    """Time at which a listener responds to a point: an attentive one right after it, others in a pause nearby.

    Args:
        rng: Source of randomness.
        scene: The conversation.
        listener: Number of the listener.
        phrase: The partner's phrase, which makes the point.
        habit: Share of responses whose timing does not depend on engagement.
    """
    point_s = phrase.end_s
    attentiveness = 0.5 if rng.random() < habit else scene.value_at(scene.attentiveness, listener, point_s)
    if rng.random() < attentiveness:
        return point_s + latency_s(rng)
    pauses = [
        other.end_s
        for other in scene.phrases
        if other.speaker == phrase.speaker and not other.complete and abs(other.end_s - point_s) < 12
    ]
    if pauses and rng.random() < 0.85:
        return float(rng.choice(pauses)) + latency_s(rng)
    return point_s + rng.uniform(-5, 5)


def add_backchannels(rng: np.random.Generator, scene: Scene) -> None:
    """Add backchannels to `scene.phrases`: temperament sets how many there are, engagement where they come."""
    law, (people, frames) = scene.law, scene.size
    scale = scene.manner.backchannels * law.q_vocal / np.sqrt(people - 1)
    busy = np.zeros(scene.size, bool)
    for phrase in scene.phrases:
        busy[phrase.speaker, phrase.frames(frames)] = True
    added = []
    for phrase in scene.phrases:
        for listener in scene.others(phrase.speaker):
            relative_chance = 1.0 if phrase.complete else law.eager
            if rng.random() >= scale * relative_chance * scene.people[listener].vocal:
                continue
            start_s = response_s(rng, scene, listener, phrase, law.habit)
            spoken = Phrase(listener, start_s, start_s + rng.uniform(0.3, 0.6), backchannel=True)
            if start_s < 0 or start_s * LABEL_RATE_HZ >= frames or busy[listener, spoken.frames(frames)].any():
                continue
            busy[listener, spoken.frames(frames)] = True
            added.append(spoken)
    scene.phrases = sorted(scene.phrases + added, key=lambda p: (p.start_s, p.speaker))


def voice_channels(phrases: Iterable[Phrase], people: int, frames: int) -> dict[str, np.ndarray]:
    """Channels of the voice, each (P, T), 0 during silence."""
    tracks = {name: np.zeros((people, frames)) for name in VOICE_CHANNELS}
    for phrase in phrases:
        rows = phrase.frames(frames)
        values = (1, phrase.backchannel, 0, phrase.pitch_st, phrase.loudness_db, phrase.rate, phrase.liveliness)
        for track, value in zip(tracks.values(), values, strict=True):
            track[phrase.speaker, rows] = value
        if phrase.complete:
            tracks["fall"][phrase.speaker, max(rows.start, rows.stop - round(FALL_S * LABEL_RATE_HZ)) : rows.stop] = 1
    return tracks
