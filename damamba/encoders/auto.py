"""Any encoder of sound or pictures that transformers' AutoModel reads, with its own preprocessing."""

import json
from pathlib import Path

import numpy as np

from damamba.encoders.checkpoint import loading
from damamba.encoders.loaded import loaded
from damamba.encoders.torchvision_import import declare_operators
from damamba.media.sound import SAMPLE_RATE_HZ

SHORTEST = SAMPLE_RATE_HZ // 10
"""Samples: a shorter sound is filled up with silence, since convolutions need some."""
LENGTHS_S = (10, 20)
"""Of two silent sounds, whose numbers of rows tell how far apart rows are."""


class SoundEncoder:
    """Rows of hidden states for sound at 16 kHz, at the rate of the encoder.

    Args:
        checkpoint: Folder or repository.
        revision: Commit on the hub.
        layer: Hidden layer: 0 is the input of the first one, -1 the last.

    Raises:
        InputError: The checkpoint cannot be loaded, hears no sound, or has no such layer.
    """

    def __init__(self, checkpoint: str, revision: str | None, layer: int) -> None:
        declare_operators()
        from transformers import AutoFeatureExtractor, AutoModel

        with loading(checkpoint, revision):
            self._model, folder, _ = loaded(AutoModel, checkpoint, revision)
            if self._model.config.is_encoder_decoder:
                self._model = self._model.get_encoder()
            self._features = AutoFeatureExtractor.from_pretrained(folder)
            rate = getattr(self._features, "sampling_rate", None)
            if rate != SAMPLE_RATE_HZ:
                raise ValueError(f"it expects {rate or 'no'} Hz of sound; damamba reads it at {SAMPLE_RATE_HZ} Hz")
            n_layers = getattr(self._model.config, "num_hidden_layers", 0)
            if not -n_layers - 1 <= layer <= n_layers:
                raise ValueError(f"no layer {layer}; it has 0 to {n_layers} (-1 = last)")
            self._layer = None if layer in (-1, n_layers) else layer
            self.normalised = self._features.model_input_names[0] == "input_values" and self._features.do_normalize
            """Whether it expects waveforms of mean 0 and variance 1. They are taken of the whole session: statistics of
            single pieces would jump from one to the next."""
            if self.normalised:
                self._features.do_normalize = False
            self.longest = getattr(self._features, "n_samples", None)
            """Samples that it takes at once, where it always hears as many; None: any number."""
            self.stride = self._measured_stride()
            """Samples from one row to the next."""
            self.width = self.rows(np.zeros(self.stride * 8, np.float32)).shape[1]

    def _measured_stride(self) -> int:
        if self.longest:
            return self.longest // len(self._states(np.zeros(self.longest, np.float32)))
        few, many = (len(self._states(np.zeros(n * SAMPLE_RATE_HZ, np.float32))) for n in LENGTHS_S)
        if many <= few:
            raise ValueError("its number of rows does not grow with the sound")
        return (LENGTHS_S[1] - LENGTHS_S[0]) * SAMPLE_RATE_HZ // (many - few)

    def rows(self, samples: np.ndarray) -> np.ndarray:
        """(n // stride, width) float32; NaN for the last rows where the encoder gives fewer."""
        n = len(samples) // self.stride
        states = self._states(np.pad(samples, (0, max(0, SHORTEST - len(samples)))))[:n]
        return np.pad(states, ((0, n - len(states)), (0, 0)), constant_values=np.nan)

    def _states(self, samples: np.ndarray) -> np.ndarray:
        import torch

        inputs = self._features(samples, sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt")
        with torch.inference_mode():
            output = self._model(
                **{key: value.to(self._model.device) for key, value in inputs.items()},
                output_hidden_states=self._layer is not None,
            )
            states = output.last_hidden_state if self._layer is None else output.hidden_states[self._layer]
        return states[0].float().cpu().numpy()


class PictureEncoder:
    """A model of pictures or clips, with the size and the range of the pixels that it takes.

    Args:
        checkpoint: Folder or repository.
        revision: Commit on the hub.
        clips: Whether a model of clips is wanted.

    Raises:
        InputError: The checkpoint cannot be loaded, or takes clips where pictures are wanted, or the other way round.
    """

    def __init__(self, checkpoint: str, revision: str | None, clips: bool) -> None:
        declare_operators()
        import torch
        from transformers import AutoModel

        with loading(checkpoint, revision):
            model, folder, random = loaded(AutoModel, checkpoint, revision)
            self._model = getattr(model, "vision_model", model)  # of two towers, such as those of SigLIP
            self.frames: int = getattr(self._model.config, "num_frames", 1)
            """Of a clip."""
            if clips != (self.frames > 1):
                other = "image_model" if clips else "video_model"
                raise ValueError(f"it takes {'single pictures' if clips else 'clips'}: use the extractor {other}")
            self.side_px, *look = picture_format(folder)
            self.width: int = getattr(self._model.config, "hidden_size", 0)
            if not self.width:
                raise ValueError(f"a {type(self._model).__name__} has no hidden_size; vision transformers have one")
        self._pooled = not any("pooler." in name for name in random)
        self._mean, self._std = (torch.tensor(each, device=self._model.device)[:, None, None] for each in look)

    def embed(self, squares: np.ndarray) -> np.ndarray:
        """(n, width) float32 of (n, side, side, 3) uint8 RGB pictures, or (n, frames, side, side, 3) clips.

        The pooled output, or the mean of all tokens of a model without one, or without trained weights for it.
        """
        import torch

        with torch.inference_mode():
            pixels = torch.from_numpy(squares).to(self._model.device).movedim(-1, -3).float() / 255
            output = self._model(pixel_values=(pixels - self._mean) / self._std)
            pooled = getattr(output, "pooler_output", None) if self._pooled else None
            pooled = output.last_hidden_state.mean(1) if pooled is None else pooled
        return pooled.float().cpu().numpy().copy()  # of its own, not a view of all tokens


def picture_format(folder: Path) -> tuple[int, list[float], list[float]]:
    """(side in px, mean, standard deviation of the channels) of the pictures that a model takes.

    Raises:
        OSError: There is no preprocessor_config.json.
        ValueError: Pictures are not square, or not normalised by channel.
    """
    described = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf8"))
    size = described.get("crop_size") or described.get("size")
    whole = size if isinstance(size, dict) else {"shortest_edge": size}
    sides = [whole.get(key, whole.get("shortest_edge")) for key in ("height", "width")]
    if not isinstance(sides[0], int) or sides[0] != sides[-1]:
        raise ValueError(f"it takes pictures of {size}, not squares")
    mean, std = described.get("image_mean"), described.get("image_std")
    if not (mean and std):
        raise ValueError("its preprocessor_config.json has no image_mean and image_std")
    return sides[0], mean, std
