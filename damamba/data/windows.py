"""Windows and their inverse.

    labels          0        8        16       24       32            (25 Hz)
    window 0   ░░░░░████████░░░░░                                      ░ context  █ core
    window 1            ░░░░░████████░░░░░
    window 2                     ░░░░░████████░░░░░

Cores tile the session: every label is predicted exactly once, so there is nothing to average. Context beyond a
session's ends is not valid. Windows never cross sessions.

Source: arXiv:2509.17711 (96 = 32 + 32 + 32 frames); the scheme is CEAM's centre-based sliding window.
"""

from dataclasses import dataclass

import numpy as np

from damamba.config import LABEL_RATE_HZ, WindowParams


@dataclass(frozen=True)
class WindowGrid:
    """A window counted in labels."""

    core: int
    """Labels that a window predicts."""
    context: int
    """Labels on each side that it sees and does not predict."""
    rate_hz: int
    """Frames a second that the model runs at."""

    @classmethod
    def of(cls, params: WindowParams) -> "WindowGrid":
        """From a window in frames."""
        core, context = (n * LABEL_RATE_HZ // params.rate_hz for n in (params.core_frames, params.context_frames))
        return cls(core, context, params.rate_hz)

    @property
    def labels(self) -> int:
        """Labels that a window covers."""
        return self.core + 2 * self.context

    @property
    def frames(self) -> int:
        """T: frames that a window covers."""
        return self._in_frames(self.labels)

    @property
    def core_frames(self) -> slice:
        """Frames of the core within the window."""
        return slice(self._in_frames(self.context), self._in_frames(self.context + self.core))

    def _in_frames(self, labels: int) -> int:
        return labels * self.rate_hz // LABEL_RATE_HZ

    def count(self, n_labels: int) -> int:
        """Windows that tile a session of `n_labels`."""
        return -(-n_labels // self.core)

    def starts(self, n_labels: int, shift: int = 0) -> np.ndarray:
        """First core label of each window; `shift` in [0, core) moves the tiling to the left."""
        return np.arange(-shift, n_labels, self.core)

    def stitch(self, cores: np.ndarray, n_labels: int) -> np.ndarray:
        """One series from the cores of ``starts(n_labels)``: the inverse of cutting.

        Args:
            cores: (windows, core), or (windows, core, K).
            n_labels: Length of the session.

        Returns:
            (n_labels,), or (n_labels, K).
        """
        if cores.shape[:2] != (self.count(n_labels), self.core):
            raise ValueError(f"cores have shape {cores.shape}, expected {(self.count(n_labels), self.core)}")
        return cores.reshape(-1, *cores.shape[2:])[:n_labels]
