"""Face tracks: the columns of the stream that the stage ``track_faces`` writes, by name."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from damamba.streams.reader import StoredStream
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


@dataclass(frozen=True)
class TrackedFace:
    """The face in one frame."""

    landmarks_px: np.ndarray
    """(478, 2) x to the right, y down."""

    @property
    def size_px(self) -> np.floating:
        """Distance from forehead to chin, px."""
        return np.linalg.norm(self.landmarks_px[10] - self.landmarks_px[152])


class StoredFaceTrack:
    """A face track on disk, of which one row group is in memory; use it as a context manager."""

    def __init__(self, path: Path, remedy: str) -> None:
        """Open a file; arguments and errors as of `damamba.streams.reader.read_stream`."""
        self._stream = StoredStream(path, remedy)
        self.t_s, self.valid, self.score = self._stream.t_s, self._stream.valid, self._stream.score

    def __enter__(self) -> "StoredFaceTrack":
        self._stream.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.__exit__(*error)

    def face(self, row: int) -> TrackedFace:
        """The face in a row; rows are read in increasing order."""
        landmarks = self._stream.rows(row, row + 1)[0, 20:]
        return TrackedFace(landmarks.reshape(N_LANDMARKS, 2))
