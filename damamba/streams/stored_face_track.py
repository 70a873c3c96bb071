"""Read a face track row by row, with little of it in memory."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from damamba.streams.face_track import HEAD_AT, LANDMARKS_AT, N_LANDMARKS, SHAPES_AT
from damamba.streams.reader import StoredStream


@dataclass(frozen=True)
class TrackedFace:
    """The face in one frame."""

    landmarks_px: np.ndarray
    """(478, 2) x to the right, y down."""
    head: np.ndarray
    """(4, 4) from the canonical face to the camera, cm."""
    shapes: np.ndarray
    """(52,) scores of the blendshapes."""

    @property
    def size_px(self) -> np.floating:
        """Distance from forehead to chin, px."""
        return np.linalg.norm(self.landmarks_px[10] - self.landmarks_px[152])

    @classmethod
    def of(cls, x: np.ndarray) -> "TrackedFace":
        """Of a row of a face track, (D,) float32."""
        head, shapes = x[HEAD_AT:SHAPES_AT].reshape(4, 4), x[SHAPES_AT:LANDMARKS_AT]
        return cls(x[LANDMARKS_AT:].reshape(N_LANDMARKS, 2), head, shapes)


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
        return TrackedFace.of(self._stream.rows(row, row + 1)[0])
