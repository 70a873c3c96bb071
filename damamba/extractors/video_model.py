"""Cue of a video model of transformers that sees the face in short clips, such as VideoMAE.

Stream: (N, hidden_size) float32, a row every `hop_frames` frames: the mean of the model's tokens over a clip, whose
length is the checkpoint's. A row's time is the middle of its clip. It is valid where every frame of the clip shows the
face and none is missing.

Source:
    ``AutoModel`` of transformers; Tong et al. 2022, arXiv:2203.12602 (VideoMAE).
"""

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from damamba.config import Positive, Section
from damamba.encoders.auto import PictureEncoder
from damamba.encoders.checkpoint import local_weights, revision_of
from damamba.features.crop import upright_square, warp
from damamba.features.extractor import Extractor, ExtractorInput
from damamba.features.tracked_frames import open_track, tracked_frames
from damamba.spool import SpooledRows
from damamba.streams.stored_face_track import StoredFaceTrack
from damamba.streams.stream import FeatureStream

LONGEST = 1.5
"""A clip may last so many times as long as its frames do at the video's rate; else frames are missing."""


class VideoModelParams(Section):
    """Keys of the cue in params.yaml."""

    checkpoint: str
    """Folder or repository on the hub, such as MCG-NJU/videomae-base."""
    revision: str | None
    """Commit of a hub checkpoint."""
    crop: Annotated[float, Field(ge=0.5, le=4)] = 1.4
    """Side of the crop, in face sizes."""
    hop_frames: Positive = 5
    """Frames from one row to the next."""
    causal: bool = False
    """Rows stand at the last frame of their clip, so that they depend on nothing after their time."""


class VideoModel(Extractor[VideoModelParams]):
    """Embeddings of short clips of the face."""

    Params = VideoModelParams
    media = "video"
    needs_faces = True
    uses_device = True

    @property
    def lookahead_s(self) -> float | None:
        """0 with `causal`; else half a clip, which may come after a pause of any length."""
        return 0.0 if self.params.causal else None

    def weights(self) -> list[Path]:
        """Files of the checkpoint, if it is a folder."""
        return local_weights(self.params.checkpoint)

    def load(self) -> None:
        """Load the model; raises `InputError` where the checkpoint cannot be loaded, or takes no clips."""
        self._encoder = PictureEncoder(self.params.checkpoint, self.params.revision, clips=True)

    def extract(self, source: ExtractorInput) -> FeatureStream:
        """Rows of one participant; raises `InputError` if the track belongs to another video."""
        rate_hz = source.participant.rate_hz
        longest_s = LONGEST * (self._encoder.frames - 1) / rate_hz
        times_s, valid, scores = [], [], []
        rows = SpooledRows(self._encoder.width)
        nothing = np.full((1, self._encoder.width), np.nan, np.float32)
        with open_track(source) as faces:
            for clip, there in self._clips(source, faces):
                first_s, last_s = faces.t_s[there.start], faces.t_s[there.stop - 1]
                seen = bool(faces.valid[there].all()) and last_s - first_s <= longest_s
                times_s.append(last_s if self.params.causal else (first_s + last_s) / 2)
                valid.append(seen)
                scores.append(float(faces.score[there].min()) if seen else 0.0)
                rows.append(self._encoder.embed(np.stack(clip)[None]) if seen else nothing)
        return FeatureStream(
            t_s=np.array(times_s),
            x=rows.rows(),
            valid=np.array(valid, bool),
            score=np.array(scores, np.float32),
            rate_hz=rate_hz / self.params.hop_frames,
            channels=tuple(f"embedding_{i}" for i in range(nothing.shape[1])),
            extractor="video_model",
            checkpoint=self.params.checkpoint,
            revision=revision_of(self.params.checkpoint, self.params.revision),
        )

    def _clips(self, source: ExtractorInput, faces: StoredFaceTrack) -> Iterator[tuple[deque[np.ndarray], slice]]:
        """(crops of a clip, its rows in the track); a crop is blank where the frame shows no face."""
        side = self._encoder.side_px
        clip: deque[np.ndarray] = deque(maxlen=self._encoder.frames)
        for k, frame in tracked_frames(source, faces):
            if frame.face:
                square = upright_square(frame.face.landmarks_px, frame.face.size_px, self.params.crop, side)
                clip.append(warp(frame.picture, square, side))
            else:
                clip.append(np.zeros((side, side, 3), np.uint8))
            first = k + 1 - self._encoder.frames
            if first >= 0 and first % self.params.hop_frames == 0:
                yield clip, slice(first, k + 1)
