"""Cue of any image model of transformers that sees the face, such as DINOv2.

Stream: (N, hidden_size) float32 at the video's own rate: the model's pooled output, or the mean of its tokens where it
has none. Rows without a tracked face are NaN and not valid.

Source:
    ``AutoModel`` of transformers; Oquab et al. 2023, arXiv:2304.07193 (DINOv2).
"""

from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from damamba.config import Positive
from damamba.encoders.auto import PictureEncoder
from damamba.encoders.checkpoint import local_weights, revision_of
from damamba.features.face_embedding import FaceEmbedding, FaceEmbeddingParams


class ImageModelParams(FaceEmbeddingParams):
    """Keys of the cue in params.yaml."""

    crop: Annotated[float, Field(ge=0.5, le=4)] = 1.4
    """Side of the crop, in face sizes."""
    batch_frames: Positive = 64
    """Crops that the model embeds at once."""


class ImageModel(FaceEmbedding[ImageModelParams]):
    """Embeddings of the face."""

    Params = ImageModelParams

    def weights(self) -> list[Path]:
        """Files of the checkpoint, if it is a folder."""
        return local_weights(self.params.checkpoint)

    def revision(self) -> str:
        """Hash of a folder, or the commit on the hub."""
        return revision_of(self.params.checkpoint, self.params.revision)

    def load(self) -> None:
        """Load the model; raises `InputError` where the checkpoint cannot be loaded, or takes no single picture."""
        self._encoder = PictureEncoder(self.params.checkpoint, self.params.revision, clips=False)
        self.side_px = self._encoder.side_px

    def embed(self, squares: np.ndarray) -> np.ndarray:
        """(n, hidden_size) float32 embeddings of (n, side, side, 3) uint8 RGB pictures."""
        return self._encoder.embed(squares)
