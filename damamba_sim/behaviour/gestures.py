"""Movements of face and body: nods, smiles, glances, blinks, posture, fidgeting."""

import numpy as np

from damamba.config import LABEL_RATE_HZ
from damamba_sim.behaviour.processes import arch, late, raise_to, smooth, wander
from damamba_sim.behaviour.scene import AWAY_GAZE, SEAT_GAZE, Scene
from damamba_sim.behaviour.turns import latency_s, response_s

BLINKS_PER_S = 17 / 60
BLINK = np.array([0.5, 0.0, 0.0, 0.4, 0.8])  # opening of the eye, frame by frame
NOD_HZ = 2.5
SYLLABLES_HZ = 5.0
GLANCE_FRAMES = 5  # the target of the gaze is chosen five times a second


def respond(rng: np.random.Generator, scene: Scene) -> np.ndarray:
    """Responses to the partners' points: returns nods (P, T), envelopes in 0..1.4, and raises the channel ``brow``."""
    law, (people, frames) = scene.law, scene.size
    nods, brows = np.zeros(scene.size), scene.track("brow")
    fewer = 1.0 if people == 2 else 0.75
    for phrase in [p for p in scene.phrases if p.complete and p.end_s * LABEL_RATE_HZ < frames]:
        for listener in scene.others(phrase.speaker):
            person = scene.people[listener]
            if rng.random() < law.q_nod * person.nods * fewer:
                _respond(rng, nods[listener], response_s(rng, scene, listener, phrase), 0.9, (0.6, 1.4))
            if rng.random() < law.q_brow * person.brows * fewer:
                _respond(rng, brows[listener], response_s(rng, scene, listener, phrase), 0.8, (0.3, 0.6))
    return nods


def _respond(
    rng: np.random.Generator, track: np.ndarray, at_s: float, seconds: float, sizes: tuple[float, float]
) -> None:
    raise_to(track, at_s, arch(seconds) * rng.uniform(*sizes))


def smile(rng: np.random.Generator, scene: Scene) -> None:
    """Spontaneous smiles and responses to them: the attentive respond within a second, others at any time or never."""
    law, (people, frames) = scene.law, scene.size
    track = scene.track("smile")
    fewer = 1.0 if people == 2 else 0.75
    for person in range(people):
        chance = law.smiles / 60 / LABEL_RATE_HZ * scene.people[person].smiles
        for frame in np.flatnonzero(rng.random(frames) < chance):
            raise_to(track[person], frame / LABEL_RATE_HZ, _smile_shape(rng))
            for other in scene.others(person):
                if rng.random() < law.q_smile * fewer:
                    attentive = rng.random() < scene.attentiveness[other, frame]
                    wait_s = 0.1 + latency_s(rng) if attentive else rng.uniform(-12, 12)
                    raise_to(track[other], frame / LABEL_RATE_HZ + wait_s, _smile_shape(rng))


def _smile_shape(rng: np.random.Generator) -> np.ndarray:
    return np.clip(4 * arch(rng.uniform(1.6, 4)), 0, 1) * rng.uniform(0.3, 0.6)


def glance(rng: np.random.Generator, scene: Scene) -> np.ndarray:
    """Number of the person that each one looks at, (P, T); -1: no one.

    Engaged people look at others more, look at the speaker, and look up at a point rather than at a mere pause.
    """
    law, (people, frames) = scene.law, scene.size
    prompted = _prompted_looks(rng, scene)
    share = np.clip(
        [
            0.58 + scene.manner.looking + 0.15 * p.show("gaze", d)
            for p, d in zip(scene.people, scene.body_drive, strict=True)
        ],
        0.08,
        0.96,
    )
    at = np.full(scene.size, -1)
    now, until = np.full(people, -1), rng.uniform(0, 2, size=people)
    speech = scene.track("speech")
    for frame in range(0, frames, GLANCE_FRAMES):
        t_s = frame / LABEL_RATE_HZ
        talking = np.flatnonzero(speech[:, frame])
        for person in range(people):
            target = prompted.get((person, frame // GLANCE_FRAMES))
            if target is not None:
                now[person], until[person] = target, t_s + rng.uniform(0.7, 1.2)
            elif until[person] <= t_s:
                others = scene.others(person)
                speakers = [int(other) for other in talking if other != person]
                follows = speakers and rng.random() < law.follow * scene.attentiveness[person, frame]
                target = speakers[0] if follows else others[int(rng.integers(len(others)))]
                chance = share[person, frame] - 0.1 * speech[person, frame]
                now[person] = target if rng.random() < chance else -1
                until[person] = t_s + rng.lognormal(np.log(1.0), 0.4)
        at[:, frame : frame + GLANCE_FRAMES] = now[:, None]
    return at


def _prompted_looks(rng: np.random.Generator, scene: Scene) -> dict[tuple[int, int], int]:
    """Looks prompted by the end of a phrase: {(person, frame // GLANCE_FRAMES): number of the person looked at}."""
    law, (people, frames) = scene.law, scene.size
    prompted = {}
    for phrase in scene.phrases:
        frame = int(phrase.end_s * LABEL_RATE_HZ)
        if phrase.backchannel or frame >= frames:
            continue
        for person in range(people):
            speaks = person == phrase.speaker
            if rng.random() >= law.q_look * (0.5 if speaks else 1.0):
                continue
            attentive = rng.random() < scene.attentiveness[person, frame]
            if attentive == phrase.complete:
                others = scene.others(person)
                target = others[int(rng.integers(len(others)))] if speaks else phrase.speaker
                at_s = phrase.end_s + latency_s(rng) - 0.15
                prompted[person, int(at_s * LABEL_RATE_HZ) // GLANCE_FRAMES] = target
    return prompted


def move(rng: np.random.Generator, scene: Scene, nods: np.ndarray, looks: np.ndarray) -> None:
    """Fill the channels of face and body of all people."""
    for person in range(scene.size[0]):
        gaze_x = _eyes(rng, scene, person, looks[person])
        _face(rng, scene, person)
        _head(rng, scene, person, nods[person], gaze_x)
        _posture(rng, scene, person)


def _eyes(rng: np.random.Generator, scene: Scene, person: int, looks: np.ndarray) -> np.ndarray:
    """Fill the channels of gaze and lids; returns the horizontal gaze before smoothing."""
    frames = scene.size[1]
    show = scene.people[person].show
    drive, speech = scene.body_drive[person], scene.track("speech")[person]
    episode = np.cumsum(np.diff(looks, prepend=looks[:1]) != 0)
    side = rng.choice((-AWAY_GAZE, AWAY_GAZE), size=episode[-1] + 1)[episode]
    down = rng.choice((-0.6, -0.3, 0.4), size=episode[-1] + 1)[episode]
    where = [looks == other for other in scene.others(person)]
    gaze_x = np.select(where, SEAT_GAZE[scene.size[0]], side)
    scene.track("gaze_x")[person] = np.clip(smooth(gaze_x, 0.05) + 0.04 * rng.normal(size=frames), -1, 1)
    scene.track("gaze_y")[person] = smooth(np.where(looks < 0, down, 0.0), 0.05) + 0.03 * rng.normal(size=frames)

    chance = BLINKS_PER_S / LABEL_RATE_HZ * np.exp(-0.3 * show("eye", drive) + 0.25 * (speech - 0.5))
    chance[1:] *= 1 + 6 * (np.diff(looks) != 0)  # blinks go with shifts of gaze
    lids = np.clip(0.78 + 0.08 * show("eye", drive) + 0.02 * wander(rng, frames, 3), 0.45, 1)
    for frame in np.flatnonzero(rng.random(frames) < chance / 1.25):
        shut = lids[frame : frame + len(BLINK)]
        shut[:] = np.minimum(shut, BLINK[: len(shut)])
    scene.track("eye")[person] = lids
    return gaze_x


def _face(rng: np.random.Generator, scene: Scene, person: int) -> None:
    frames, noise = scene.size[1], scene.law.slow_noise
    show, drive = scene.people[person].show, scene.body_drive[person]
    event = scene.track("smile")[person]
    level = np.clip(0.40 + 0.13 * show("smile", drive) + 0.08 * noise * wander(rng, frames, 4), 0, 1)
    scene.track("smile")[person] = level + (1 - level) * event
    brow = scene.track("brow")[person] + 0.27 * show("brow", drive) + 0.15 * noise * wander(rng, frames, 3)
    scene.track("brow")[person] = np.clip(brow, -1, 1)


def _head(rng: np.random.Generator, scene: Scene, person: int, nods: np.ndarray, gaze_x: np.ndarray) -> None:
    """Head angles, degrees: the head follows the gaze, nods, and moves more when the person is lively."""
    frames = scene.size[1]
    level = scene.people[person].show("motion", scene.body_drive[person])
    speaking = smooth(scene.track("speech")[person], 0.5)
    motion = np.clip(np.exp(0.33 * level), 0.25, 3.0) * (0.8 + 0.5 * speaking)
    beat = np.sin(2 * np.pi * NOD_HZ * np.arange(frames) / LABEL_RATE_HZ)
    scene.track("nod")[person] = nods
    wave = 6 * nods * late(beat, rng.uniform(0, 0.4))  # people do not nod in phase
    scene.track("yaw")[person] = (
        14 * smooth(gaze_x, 0.35) + 2.0 * motion * wander(rng, frames, 0.6) + 2 * wander(rng, frames, 20)
    )
    scene.track("pitch")[person] = wave + 1.2 * motion * wander(rng, frames, 0.6) + 2 * wander(rng, frames, 20)
    scene.track("roll")[person] = 1.4 * motion * wander(rng, frames, 0.8) + 1.5 * wander(rng, frames, 20)


def _posture(rng: np.random.Generator, scene: Scene, person: int) -> None:
    """Lean, shifts on the chair (cm), a hand at the face; bored people fidget more."""
    frames, noise = scene.size[1], scene.law.slow_noise
    show, drive = scene.people[person].show, scene.body_drive[person]
    lean = 0.8 * show("lean", drive) + 0.6 * noise * wander(rng, frames, 7)
    scene.track("lean")[person] = np.clip(lean, -3, 3)
    restless = np.clip(np.exp(-0.5 * show("fidget", drive)), 0.15, 6)
    shifts = rng.random(frames) < restless * 8 / 60 / LABEL_RATE_HZ
    steps = np.where(shifts, rng.normal(size=frames) * 1.6, 0.0)
    keep = np.exp(-1 / (6 * LABEL_RATE_HZ))  # people come back to the middle of their chair
    seat = np.empty(frames)
    at = 0.0
    for frame, step in enumerate(steps):
        at = keep * at + step
        seat[frame] = at
    scene.track("shift_x")[person] = np.clip(smooth(seat, 0.25) + 0.15 * restless * wander(rng, frames, 0.4), -4, 4)
    hand = np.zeros(frames)
    for frame in np.flatnonzero(rng.random(frames) < restless * 0.3 / 60 / LABEL_RATE_HZ):
        raise_to(hand, frame / LABEL_RATE_HZ, np.clip(3 * arch(rng.uniform(1.0, 2.0)), 0, 1) * 0.45)
    scene.track("hand")[person] = hand


def mumble(rng: np.random.Generator, scene: Scene) -> None:
    """Opening of the mouth by syllables, for sessions without sound; with sound, visemes replace it."""
    for person in range(scene.size[0]):
        frames = scene.size[1]
        speech, rate = scene.track("speech")[person], scene.track("rate")[person]
        beat = np.cumsum(SYLLABLES_HZ * rate + rng.normal(size=frames)) / LABEL_RATE_HZ
        loud = np.clip(0.5 + 0.03 * scene.track("loudness")[person], 0.1, 1)
        scene.track("mouth")[person] = speech * loud * (0.5 + 0.5 * np.sin(2 * np.pi * beat))
