"""Engagement, and what confounds it: the latent series of a conversation, before any behaviour."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from damamba.config import LABEL_RATE_HZ
from damamba_sim.behaviour.processes import late, logistic, smooth, wander
from damamba_sim.behaviour.scene import ENGAGEMENT_UNIT, Law

DRIFT_S, STANCE_S, FLICKER_S = 23.0, 3.3, 0.6
"""Time constants of the movement of engagement. With the weights in `Law` they give labels the autocorrelation of real
ones (docs/simulator.md)."""
PULL_S = (0.6, 1.0)
"""How much later a person's engagement follows the partners'."""
CONFOUNDER_S = 6.0
"""Time constant of tension and mood."""


@dataclass(frozen=True)
class SessionQuantiles:
    """Quantiles in (0, 1) that fix a session's engagement and mood instead of drawing them."""

    engagement: tuple[float, ...]
    """The constant part of each participant's engagement."""
    mood: float


def engage(
    rng: np.random.Generator, people: int, frames: int, law: Law, quantiles: SessionQuantiles | None
) -> tuple[np.ndarray, np.ndarray]:
    """Engagement, (P, T), and the part of it that the person's own direct cues show: all but the partners' pull."""
    bounds = np.cumsum(rng.lognormal(np.log(70), 0.4, size=frames // 250 + 4)) * LABEL_RATE_HZ
    episode = np.searchsorted(bounds, np.arange(frames))
    shared = rng.normal(size=episode[-1] + 1)
    moving = np.empty((people, frames))
    for i in range(people):
        interest = 0.7 * shared + 0.7 * rng.normal(size=len(shared))
        moving[i] = law.topic * smooth(interest[episode], 3)
        moving[i] += law.drift * wander(rng, frames, DRIFT_S) + law.stance * wander(rng, frames, STANCE_S)
        moving[i] += law.flicker * np.sqrt(2) * smooth(wander(rng, frames, FLICKER_S), FLICKER_S)
    own = rng.normal(size=people)
    if quantiles:
        own = np.array([_normal(q) for q in quantiles.engagement])
    shown = law.person * own[:, None] + moving
    pull = np.empty_like(moving)
    for i in range(people):
        others = [late(moving[j], rng.uniform(*PULL_S)) for j in range(people) if j != i]
        pull[i] = law.shared * law.coupling * np.mean(others, axis=0) * np.sqrt(len(others))
    return logistic(law.level + law.spread * (shown + pull)), logistic(law.level + law.spread * shown)


def drives(
    rng: np.random.Generator, shown: np.ndarray, law: Law, quantiles: SessionQuantiles | None
) -> tuple[np.ndarray, np.ndarray]:
    """What is heard, x + n + h, and what is seen, x - n + h; each (P, T)."""
    frames = shown.shape[1]
    x = (shown - 0.5) / ENGAGEMENT_UNIT

    def confounder(level: float, moves: float, constant: float) -> np.ndarray:
        return level * constant + moves * wander(rng, frames, CONFOUNDER_S)

    constant = rng.normal()
    if quantiles:
        constant = _normal(quantiles.mood)
    mood = confounder(law.mood, law.mood_moves, constant)
    if law.shared < 1:  # the part of the mood that is not shared is each person's own
        own = np.stack([confounder(law.mood, law.mood_moves, rng.normal()) for _ in shown])
        mood = np.sqrt(law.shared) * mood + np.sqrt(1 - law.shared) * own
    tension = np.stack([confounder(law.tension, law.tension_moves, rng.normal()) for _ in shown])
    return x + tension + mood, x - tension + mood


def _normal(quantile: float) -> float:
    """Standard normal value at a quantile, at most 1.6 either way: beyond, faces and voices saturate."""
    return NormalDist().inv_cdf(min(max(quantile, 0.05), 0.95))
