"""Cue clip: CLIP's image embedding of the face, one row per decoded frame.

Stream: (N, embed_dim) float32 at the video's own rate, the output of `encode_image` (not scaled to length 1); rows
without a tracked face are NaN and not valid. The face is cropped upright, eyes level, in a square of `crop` face sizes.

Source:
    Radford et al. 2021, arXiv:2103.00020; open_clip.
"""

from pathlib import Path
from typing import Any

import numpy as np

from damamba.device import choose_device
from damamba.encoders.checkpoint import folder_of, loading, local_weights, revision_of
from damamba.encoders.torchvision_import import declare_operators
from damamba.features.face_embedding import FaceEmbedding, FaceEmbeddingParams


class ClipParams(FaceEmbeddingParams):
    """Keys of the cue in params.yaml."""

    checkpoint: str
    """Folder with open_clip_config.json and weights, `hf-hub:` and a repository, or a name that open_clip knows."""
    pretrained: str | None
    """Tag of the weights, for a name that open_clip knows; else null."""


class Clip(FaceEmbedding[ClipParams]):
    """CLIP image embeddings of the face."""

    Params = ClipParams

    def weights(self) -> list[Path]:
        """Files of the checkpoint, if it is a folder."""
        return local_weights(self.params.checkpoint)

    def revision(self) -> str:
        """Hash of a folder, or the commit or tag on the hub."""
        return revision_of(self.params.checkpoint, self.params.revision or self.params.pretrained)

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
        self.side_px = int(size[0] if isinstance(size, tuple) else size)
        preprocessing = open_clip.get_model_preprocess_cfg(model)
        self._mean, self._std = (
            torch.tensor(preprocessing[key], device=self._device).view(1, 3, 1, 1) for key in ("mean", "std")
        )

    def embed(self, squares: np.ndarray) -> np.ndarray:
        """(n, embed_dim) float32 embeddings of (n, side, side, 3) uint8 RGB pictures."""
        import torch

        with torch.inference_mode():
            pixels = torch.from_numpy(squares).to(self._device).permute(0, 3, 1, 2).float() / 255
            embeddings = self._model.encode_image((pixels - self._mean) / self._std).float().cpu().numpy()
        return embeddings.copy()  # the model's may be a part of all its tokens, which they would keep in memory
