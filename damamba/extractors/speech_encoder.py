"""wav2vec 2.0 over a whole session: the clock of its frames, and long sound in overlapping pieces.

sound    |------------------------------------------|
piece 0  [==========core==========|ctx]
piece 1                      [ctx|=======core=======]    rows of the context are thrown away
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from damamba.console import InputError
from damamba.extractors.checkpoint import loading, local_folder
from damamba.extractors.torchvision_import import declare_operators
from damamba.media.decode import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from transformers import Wav2Vec2Config, Wav2Vec2Model, Wav2Vec2PreTrainedModel

CORE_S, CONTEXT_S = 16.0, 2.0
"""Of a piece: about what these encoders were trained on; attention costs the square of it."""
MAY_BE_NEW = {"masked_spec_embed", "wav2vec2.masked_spec_embed"}
"""Weights that only pretraining uses; some checkpoints lack them."""


def exact(dividend: int, divisor: int) -> int:
    """Dividend / divisor, which must be whole."""
    quotient, rest = divmod(dividend, divisor)
    if rest:
        raise ValueError(f"{dividend} is no multiple of {divisor}")
    return quotient


@dataclass(frozen=True)
class FrameClock:
    """Where the frames of a stack of convolutions stand in the sound that it reads."""

    stride: int
    """Samples from one frame to the next."""
    receptive: int
    """Samples that one frame sees."""

    @classmethod
    def of(cls, config: "Wav2Vec2Config") -> "FrameClock":
        """The clock of a wav2vec 2.0 model: 320 and 400 for all published ones."""
        stride = receptive = 1
        for kernel, step in zip(config.conv_kernel, config.conv_stride, strict=True):
            receptive += (kernel - 1) * stride
            stride *= step
        return cls(stride, receptive)

    @property
    def rate_hz(self) -> float:
        """Frames a second."""
        return float(exact(SAMPLE_RATE_HZ, self.stride))

    def count(self, samples: int) -> int:
        """Frames in so many samples: only those that see nothing but sound."""
        return max(0, (samples - self.receptive) // self.stride + 1)

    def span(self, first: int, last: int) -> slice:
        """Samples that frames `first` up to, not including, `last` see."""
        return slice(first * self.stride, (last - 1) * self.stride + self.receptive)

    def centres_s(self, n: int) -> np.ndarray:
        """(n,) middle of each frame, s after the first sample."""
        return (np.arange(n) * self.stride + exact(self.receptive, 2)) / SAMPLE_RATE_HZ


def in_pieces(
    encode: Callable[[np.ndarray], np.ndarray],
    samples: np.ndarray,
    clock: FrameClock,
    core_s: float = CORE_S,
    context_s: float = CONTEXT_S,
) -> np.ndarray:
    """`encode` of a long sound, piece by piece.

    Args:
        encode: From (n,) samples to (clock.count(n), D) rows.
        samples: (n,) float32.
        clock: Of `encode`.
        core_s: Sound whose rows are kept from a piece.
        context_s: Sound on each side that is only heard.

    Returns:
        (clock.count(n), D) float32.
    """
    n = clock.count(len(samples))
    core, context = round(core_s * clock.rate_hz), round(context_s * clock.rate_hz)
    rows = []
    for start in range(0, n, core):
        stop = min(start + core, n)
        first, last = max(0, start - context), min(n, stop + context)
        rows.append(encode(samples[clock.span(first, last)])[start - first : stop - first])
    return np.concatenate(rows)


class SpeechEncoder:
    """A loaded wav2vec 2.0 encoder."""

    def __init__(self, model: "Wav2Vec2Model", normalise: bool, layer: int, name: str) -> None:
        """Take a loaded model.

        Args:
            model: In evaluation mode.
            normalise: Whether it was trained on waveforms of zero mean and unit variance.
            layer: Hidden layer that `encode` returns.
            name: Of the checkpoint, for messages.

        Raises:
            InputError: There is no such layer.
        """
        n_layers = model.config.num_hidden_layers
        if not -n_layers - 1 <= layer <= n_layers:
            raise InputError(f"{name}: layer {layer} asked for; it has 0 to {n_layers} (-1 = last); correct `layer`")
        self.frames = FrameClock.of(model.config)
        self.width = model.config.hidden_size
        self._model, self._normalise = model, normalise
        self._layer = None if layer in (-1, n_layers) else layer

    @classmethod
    def load(cls, checkpoint: str, revision: str | None, layer: int) -> "SpeechEncoder":
        """Read a `Wav2Vec2Model` checkpoint; raises `InputError` where it cannot be had."""
        declare_operators()
        from transformers import Wav2Vec2Model

        model, normalise = pretrained(Wav2Vec2Model, checkpoint, revision)
        return cls(model, normalise, layer, checkpoint)

    def encode(self, samples: np.ndarray) -> np.ndarray:
        """(frames.count(n), width) float32 hidden states of (n,) samples at 16 kHz, in [-1, 1]."""
        if not self.frames.count(len(samples)):
            return np.empty((0, self.width), np.float32)
        if self._normalise:
            # by the whole session: statistics of a piece would change at its borders
            samples = ((samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)).astype(np.float32)
        return in_pieces(self._encode_piece, samples, self.frames)

    def _encode_piece(self, samples: np.ndarray) -> np.ndarray:
        import torch

        with torch.inference_mode():
            sound = torch.from_numpy(np.ascontiguousarray(samples))[None].to(self._model.device)
            output = self._model(sound, output_hidden_states=self._layer is not None)
            # some models normalise what leaves the last layer; only `last_hidden_state` has that
            states = output.last_hidden_state if self._layer is None else output.hidden_states[self._layer]
        return states[0].cpu().numpy()


def pretrained(kind: "type[Wav2Vec2PreTrainedModel]", checkpoint: str, revision: str | None) -> tuple[Any, bool]:
    """A model of class `kind`, and whether it was trained on normalised waveforms.

    Returns:
        The model in float32, in evaluation mode, on the accelerator if there is one; `do_normalize` of its
        preprocessor.

    Raises:
        InputError: The checkpoint cannot be had, is of another kind of model, or of another sampling rate.
    """
    import torch
    from transformers import Wav2Vec2FeatureExtractor
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # the stage has its own
    where = local_folder(checkpoint) or checkpoint
    with loading(checkpoint, revision):
        loaded: Any = kind.from_pretrained(
            where, revision=revision or "main", dtype=torch.float32, output_loading_info=True
        )
        model, report = loaded
        missing = sorted(set(report["missing_keys"]) - MAY_BE_NEW)
        if missing:  # transformers would go on with random weights
            raise ValueError(f"it lacks {len(missing)} weights of a {kind.__name__}, such as {missing[0]}")
        preprocessor = Wav2Vec2FeatureExtractor.from_pretrained(where, revision=revision or "main")
        if preprocessor.sampling_rate != SAMPLE_RATE_HZ:
            raise ValueError(f"it hears {preprocessor.sampling_rate} Hz, damamba reads sound at {SAMPLE_RATE_HZ} Hz")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return model.eval().to(device), bool(preprocessor.do_normalize)
