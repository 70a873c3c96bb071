"""Cue clip: CLIP's image embedding of the face, one row per decoded frame.

Stream: (N, embed_dim) float32 at the video's own rate, the output of `encode_image` (not scaled to length 1); rows
without a tracked face are NaN and not valid. The face is cropped upright, eyes level, in a square of `crop` face sizes.

Source:
    Radford et al. 2021, arXiv:2103.00020; open_clip.
"""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from damamba.config import Positive, Section
from damamba.device import choose_device
from damamba.encoders.checkpoint import folder_of, loading, local_weights, revision_of
from damamba.encoders.torchvision_import import declare_operators
from damamba.features.crop import upright_square, warp
from damamba.features.extractor import Extractor, ExtractorInput
from damamba.features.tracked_frames import open_track, tracked_frames
from damamba.spool import RowsOnDisk, SpooledRows
from damamba.streams.stored_face_track import StoredFaceTrack
from damamba.streams.stream import FeatureStream


class ClipParams(Section):
    """Keys of the cue in params.yaml."""

    checkpoint: str
    """Folder with open_clip_config.json and weights, `hf-hub:` and a repository, or a name that open_clip knows."""
    pretrained: str | None
    """Tag of the weights, for a name that open_clip knows; else null."""
    crop: Annotated[float, Field(ge=0.5, le=4)]
    """Side of the crop, in face sizes."""
    revision: str | None = None
    """Commit of a hub checkpoint."""
    batch_frames: Positive
    """Crops that the model embeds at once."""


class Clip(Extractor[ClipParams]):
    """CLIP image embeddings of the face."""

    Params = ClipParams
    media = "video"
    needs_faces = True
    uses_device = True

    @property
    def lookahead_s(self) -> float:
        """0: each frame by itself."""
        return 0.0

    def weights(self) -> list[Path]:
        """Files of the checkpoint, if it is a folder."""
        return local_weights(self.params.checkpoint)

    def load(self) -> None:
        """Load the model; raises `InputError` where the checkpoint cannot be loaded."""
        declare_operators()
        import open_clip
        import torch

        name = self.params.checkpoint
        with loading(name, self.params.revision):
            folder = folder_of(name, self.params.revision)
            if not (folder or self.params.pretrained):
                raise ValueError("`pretrained` is null, but this name needs the tag of its weights")
            model: Any = open_clip.create_model(
                f"local-dir:{folder}" if folder else name, self.params.pretrained, require_pretrained=True
            )
        self._device = choose_device()
        # channels last, the layout of the crops in memory: convolutions take half the time
        self._model = model.eval().to(self._device, memory_format=torch.channels_last)
        size = model.visual.image_size
        self._side_px = int(size[0] if isinstance(size, tuple) else size)
        preprocessing = open_clip.get_model_preprocess_cfg(model)
        self._mean, self._std = (
            torch.tensor(preprocessing[key], device=self._device).view(1, 3, 1, 1) for key in ("mean", "std")
        )

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
            extractor="clip",
            checkpoint=self.params.checkpoint,
            revision=revision_of(self.params.checkpoint, self.params.revision or self.params.pretrained),
        )

    def _rows(self, source: ExtractorInput, faces: StoredFaceTrack) -> np.ndarray | RowsOnDisk:
        """An embedding for every frame, NaN where it shows no face."""
        width = self.embed(np.zeros((1, self._side_px, self._side_px, 3), np.uint8)).shape[1]
        rows = SpooledRows(width)
        waiting = np.zeros((self.params.batch_frames, self._side_px, self._side_px, 3), np.uint8)
        places: list[int] = []
        for k, frame in tracked_frames(source, faces):
            if faces.valid[k]:
                face = faces.face(k)
                square = upright_square(face.landmarks_px, face.size_px, self.params.crop, self._side_px)
                waiting[len(places)] = warp(frame.image, square, self._side_px)
                places.append(k)
            if len(places) == self.params.batch_frames:
                rows.place(places, self.embed(waiting))
                places = []
        if places:
            # a full batch, like all others: the rounding of a row must not depend on how many faces come after it
            waiting[len(places) :] = 0
            rows.place(places, self.embed(waiting)[: len(places)])
        rows.pad(len(faces.t_s))
        return rows.rows()

    def embed(self, squares: np.ndarray) -> np.ndarray:
        """(n, embed_dim) float32 embeddings of (n, side, side, 3) uint8 RGB pictures."""
        import torch

        with torch.inference_mode():
            pixels = torch.from_numpy(squares).to(self._device).permute(0, 3, 1, 2).float() / 255
            embeddings = self._model.encode_image((pixels - self._mean) / self._std).float().cpu().numpy()
        return embeddings.copy()  # the model's may be a part of all its tokens, which they would keep in memory
