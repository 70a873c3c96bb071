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
from damamba.console import InputError
from damamba.encoders.checkpoint import loading, local_folder, local_weights, revision_of
from damamba.encoders.torchvision_import import declare_operators
from damamba.features.crop import upright_square, warp
from damamba.features.extractor import Extractor, ExtractorInput
from damamba.features.tracked_frames import read_track, tracked_frames
from damamba.streams.stream import FeatureStream


class ClipParams(Section):
    """Keys of the cue in params.yaml."""

    checkpoint: str
    """Folder with open_clip_config.json and weights, `hf-hub:` and an id, or a name that open_clip knows."""
    pretrained: str | None
    """Tag of the weights, for a name that open_clip knows; else null."""
    crop: Annotated[float, Field(ge=0.5, le=4)]
    """Side of the crop, in face sizes."""
    batch_frames: Positive
    """Crops that the model embeds at once."""


class Clip(Extractor[ClipParams]):
    """CLIP image embeddings of the face."""

    Params = ClipParams
    media = "video"

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
        folder = local_folder(name)
        with loading(name):
            if not (folder or name.startswith("hf-hub:") or self.params.pretrained):
                raise ValueError("`pretrained` is null, but this name needs the tag of its weights")
            model: Any = open_clip.create_model(
                f"local-dir:{folder}" if folder else name, self.params.pretrained, require_pretrained=True
            )
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
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
            InputError: No frame shows a face, or the track belongs to another video.
        """
        faces = read_track(source)
        sizes_px = faces.size_px
        rows: list[np.ndarray] = []
        waiting: list[np.ndarray] = []
        for k, frame in tracked_frames(source, faces):
            if faces.valid[k]:
                square = upright_square(faces.landmarks_px[k], sizes_px[k], self.params.crop, self._side_px)
                waiting.append(warp(frame.image, square, self._side_px))
            if len(waiting) == self.params.batch_frames:
                rows.append(self.embed(np.stack(waiting)))
                waiting = []
        if waiting:
            # a full batch, like all others: the rounding of a row must not depend on how many faces come after it
            full = waiting + [np.zeros_like(waiting[0])] * (self.params.batch_frames - len(waiting))
            rows.append(self.embed(np.stack(full))[: len(waiting)])
        if not rows:
            raise InputError(f"{source.video}: no face in any frame; remove its row from the manifest")
        embedded = np.concatenate(rows)
        x = np.full((len(faces.t_s), embedded.shape[1]), np.nan, np.float32)
        x[faces.valid] = embedded
        return FeatureStream(
            t_s=faces.t_s,
            x=x,
            valid=faces.valid,
            score=np.where(faces.valid, faces.score, 0).astype(np.float32),
            rate_hz=source.participant.rate_hz,
            channels=tuple(f"embedding_{i}" for i in range(x.shape[1])),
            extractor="clip",
            checkpoint=self.params.checkpoint,
            revision=revision_of(self.params.checkpoint, self.params.pretrained),
        )

    def embed(self, squares: np.ndarray) -> np.ndarray:
        """(n, embed_dim) float32 embeddings of (n, side, side, 3) uint8 RGB pictures."""
        import torch

        with torch.inference_mode():
            pixels = torch.from_numpy(squares).to(self._device).permute(0, 3, 1, 2).float() / 255
            return self._model.encode_image((pixels - self._mean) / self._std).float().cpu().numpy()
