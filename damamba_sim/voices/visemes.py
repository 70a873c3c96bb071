"""Phonemes to mouth shapes: opening and rounding of the lips over time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# opening, rounding, and the IPA letters with this shape
SHAPES: tuple[tuple[float, float, str], ...] = (
    (0.00, 0.2, "pbmβ"),
    (0.12, 0.2, "fvʋ"),
    (0.20, 0.1, "θð"),
    (0.22, 0.1, "tdnszɾlrɹʈɖɭɫɲʎʝ"),
    (0.22, 0.6, "ʃʒɕʑ"),
    (0.30, 0.1, "kɡgŋxɣqχʁhɦʔʕħç"),
    (0.15, 1.0, "wɥ"),
    (0.30, 1.0, "uʊyʏɯ"),
    (0.55, 0.8, "oɔøœɒɵ"),
    (0.35, 0.0, "iɪj"),
    (0.60, 0.05, "eɛɜəɐʌ"),
    (1.00, 0.1, "aɑæ"),
)
VISEMES = {letter: (opening, rounding) for opening, rounding, letters in SHAPES for letter in letters}
REST = (0.0, 0.1)
GRID_HZ = 200
LEAD_S = 0.02
"""How much earlier the lips move than the sound."""
SMOOTHING_S = 0.035


@dataclass(frozen=True)
class Phone:
    """A phoneme in time."""

    start_s: float
    end_s: float
    symbol: str
    """IPA; each letter of a diphthong takes half of the time."""

    def moved(self, seconds: float) -> "Phone":
        """The same phoneme, later by `seconds`."""
        return Phone(self.start_s + seconds, self.end_s + seconds, self.symbol)


def mouth(phones: Sequence[Phone], frames: int, rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Opening and rounding of the mouth, each (frames,) in [0, 1].

    Rectangles a little ahead of the sound, smoothed: enough coarticulation for 25 pictures a second.
    """
    track = np.tile(np.array(REST, np.float32), (int(frames / rate_hz * GRID_HZ) + 1, 1))
    for phone in phones:
        shapes = [VISEMES[letter] for letter in phone.symbol if letter in VISEMES]
        edges = np.linspace(phone.start_s, phone.end_s, len(shapes) + 1) - LEAD_S
        rows = np.maximum(np.round(edges * GRID_HZ).astype(int), 0)
        for shape, first, last in zip(shapes, rows[:-1], rows[1:], strict=True):
            track[first:last] = shape
    reach = np.arange(-20, 21) / GRID_HZ
    kernel = np.exp(-0.5 * (reach / SMOOTHING_S) ** 2)
    kernel /= kernel.sum()
    at = np.minimum((np.arange(frames) / rate_hz * GRID_HZ).astype(int), len(track) - 1)
    opening, rounding = (np.convolve(np.pad(c, 20, mode="edge"), kernel, "valid")[at] for c in track.T)
    return np.clip(opening, 0, 1), np.clip(rounding, 0, 1)
