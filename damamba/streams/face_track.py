"""Face tracks: the columns of the stream that the stage ``track_faces`` writes, by name."""

from dataclasses import dataclass

import numpy as np

from damamba.streams.stream import FeatureStream

N_LANDMARKS = 478
CHANNELS = (
    *(f"box_{side}_px" for side in ("left", "top", "right", "bottom")),
    *(f"head_{row}{column}" for row in range(4) for column in range(4)),
    *(f"landmark_{i}_{axis}_px" for i in range(N_LANDMARKS) for axis in "xy"),
)


@dataclass(frozen=True)
class FaceTrack:
    """The face in a video, one row per decoded frame; NaN where `valid` is False."""

    t_s: np.ndarray
    """(N,) s."""
    valid: np.ndarray
    """(N,) bool."""
    score: np.ndarray
    """(N,) share of the landmarks that are inside the picture."""
    box_px: np.ndarray
    """(N, 4) left, top, right, bottom."""
    head: np.ndarray
    """(N, 4, 4) from the canonical face to the camera, cm."""
    landmarks_px: np.ndarray
    """(N, 478, 2) x to the right, y down."""
    key: str
    """Key of the stream that it was read from."""

    @classmethod
    def of(cls, stream: FeatureStream) -> "FaceTrack":
        """Name the columns of a stream."""
        n = len(stream.t_s)
        box, head, landmarks = np.split(np.asarray(stream.x), [4, 20], axis=1)
        return cls(
            stream.t_s,
            stream.valid,
            stream.score,
            box,
            head.reshape(n, 4, 4),
            landmarks.reshape(n, N_LANDMARKS, 2),
            stream.key,
        )

    @property
    def size_px(self) -> np.ndarray:
        """(N,) distance from forehead to chin, px: the unit of all motion on a face."""
        return np.linalg.norm(self.landmarks_px[:, 10] - self.landmarks_px[:, 152], axis=1)
