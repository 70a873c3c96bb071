"""Base class of the cues that show a face to an image model: one row per decoded frame."""

from abc import abstractmethod
from functools import cached_property
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import Field

from damamba.config import Positive, Section
from damamba.features.crop import upright_square, warp
from damamba.features.extractor import Extractor, ExtractorInput
from damamba.features.stepper import PictureStepper, Rows, SeenFrame
from damamba.features.tracked_frames import open_track, tracked_frames
from damamba.media.picture import AnyPicture
from damamba.spool import RowsOnDisk, SpooledRows
from damamba.streams.stored_face_track import StoredFaceTrack, TrackedFace
from damamba.streams.stream import FeatureStream


class FaceEmbeddingParams(Section):
    """Keys that these cues share in params.yaml."""

    checkpoint: str
    """Folder, or repository on the hub."""
    revision: str | None = None
    """Commit of a hub checkpoint."""
    crop: Annotated[float, Field(ge=0.5, le=4)]
    """Side of the crop, in face sizes."""
    batch_frames: Positive
    """Crops that the model embeds at once."""


ParamsT = TypeVar("ParamsT", bound=FaceEmbeddingParams)


class FaceEmbedding(Extractor[ParamsT]):
    """Embeddings of upright faces, eyes level; rows without a tracked face are NaN and not valid.

    `load` of a subclass sets `side_px`.
    """

    media = "video"
    needs_faces = True
    uses_device = True
    side_px: int
    """Side of the pictures that the model takes."""

    @property
    def lookahead_s(self) -> float:
        """0: each frame by itself."""
        return 0.0

    @abstractmethod
    def embed(self, squares: np.ndarray) -> np.ndarray:
        """(n, D) float32 embeddings of (n, side, side, 3) uint8 RGB pictures."""

    @abstractmethod
    def revision(self) -> str:
        """Of the checkpoint, for the stream's metadata."""

    def extract(self, source: ExtractorInput) -> FeatureStream:
        """Embed every face.

        Raises:
            InputError: The track belongs to another video.
        """
        with open_track(source) as faces:
            x = self._rows(source, faces)
        return FeatureStream(
            t_s=faces.t_s,
            x=x,
            valid=faces.valid,
            score=np.where(faces.valid, faces.score, 0).astype(np.float32),
            rate_hz=source.participant.rate_hz,
            channels=tuple(f"embedding_{i}" for i in range(x.shape[1])),
            extractor=type(self).__module__.rpartition(".")[2],
            checkpoint=self.params.checkpoint,
            revision=self.revision(),
        )

    def picture_stepper(self) -> PictureStepper:
        """Each frame by itself, one at a time: rows differ from those of a batch in the last digits."""
        return _Embeddings(self)

    def square(self, picture: AnyPicture, face: TrackedFace) -> np.ndarray:
        """(side, side, 3) uint8 picture of a face, upright."""
        square = upright_square(face.landmarks_px, face.size_px, self.params.crop, self.side_px)
        return warp(picture, square, self.side_px)

    @cached_property
    def width(self) -> int:
        """D, once the model is loaded."""
        return self.embed(np.zeros((1, self.side_px, self.side_px, 3), np.uint8)).shape[1]

    def _rows(self, source: ExtractorInput, faces: StoredFaceTrack) -> np.ndarray | RowsOnDisk:
        """An embedding for every frame, NaN where it shows no face."""
        side, batch = self.side_px, self.params.batch_frames
        rows = SpooledRows(self.width)
        waiting = np.zeros((batch, side, side, 3), np.uint8)
        places: list[int] = []
        for k, frame in tracked_frames(source, faces):
            if frame.face:
                waiting[len(places)] = self.square(frame.picture, frame.face)
                places.append(k)
            if len(places) == batch:
                rows.place(places, self.embed(waiting))
                places = []
        if places:
            # a full batch, like all others: the rounding of a row must not depend on how many faces come after it
            waiting[len(places) :] = 0
            rows.place(places, self.embed(waiting)[: len(places)])
        rows.pad(len(faces.t_s))
        return rows.rows()


class _Embeddings(PictureStepper):
    def __init__(self, cue: FaceEmbedding[Any]) -> None:
        self._cue, self.width = cue, cue.width

    def see(self, frame: SeenFrame) -> Rows:
        x = self._cue.embed(self._cue.square(frame.picture, frame.face)[None])[0] if frame.face else None
        return Rows.one(frame.t_s, x, frame.score, self.width)
