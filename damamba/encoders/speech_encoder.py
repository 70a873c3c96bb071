"""wav2vec 2.0 over a whole session: the times of its frames, and long sound in overlapping pieces.

sound    |------------------------------------------|
piece 0  [==========core==========|ctx]
piece 1                      [ctx|=======core=======]    rows of the context are dropped

For causal cues, cores are short and have no context after them, so that a frame depends on the rest of its core alone:

piece k      [=======context=======|core]
piece k + 1       [=======context=======|core]
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from damamba.console import InputError
from damamba.encoders.checkpoint import loading
from damamba.encoders.loaded import loaded
from damamba.encoders.torchvision_import import declare_operators
from damamba.media.sound import SAMPLE_RATE_HZ
from damamba.spool import RowsOnDisk

if TYPE_CHECKING:
    from transformers import Wav2Vec2Config, Wav2Vec2Model, Wav2Vec2PreTrainedModel

CORE_S, CONTEXT_S = 16.0, 2.0
"""Of a piece, s: about as long as the sound that these encoders were trained on; attention costs the square of it."""
CHUNK_S = 0.32
"""Length of a causal core, s: a frame depends on less than this after its time. Time grows with context / core."""
BLOCK = 1 << 20
"""Samples of long sound that are in memory at once for its statistics."""


def exact(dividend: int, divisor: int) -> int:
    """Quotient of two integers; raises ValueError where it is not an integer."""
    quotient, rest = divmod(dividend, divisor)
    if rest:
        raise ValueError(f"{dividend} is not a multiple of {divisor}")
    return quotient


@dataclass(frozen=True)
class FrameClock:
    """Times of the frames of a stack of convolutions over sound at 16 kHz."""

    stride: int
    """Samples from one frame to the next."""
    receptive: int
    """Samples that one frame depends on."""

    @classmethod
    def of(cls, config: "Wav2Vec2Config") -> "FrameClock":
        """Of a wav2vec 2.0 model: stride 320 and receptive field 400 in all published ones."""
        stride = receptive = 1
        for kernel, step in zip(config.conv_kernel, config.conv_stride, strict=True):
            receptive += (kernel - 1) * stride
            stride *= step
        return cls(stride, receptive)

    @property
    def rate_hz(self) -> float:
        """Frames per second."""
        return float(exact(SAMPLE_RATE_HZ, self.stride))

    def count(self, samples: int) -> int:
        """Frames that lie completely inside `samples` samples."""
        return max(0, (samples - self.receptive) // self.stride + 1)

    def span(self, first: int, last: int) -> slice:
        """Samples that the frames [first, last) depend on."""
        return slice(first * self.stride, (last - 1) * self.stride + self.receptive)

    def centres_s(self, n: int) -> np.ndarray:
        """(n,) middle of each of the first n frames, s after the first sample."""
        return self.centre_s(np.arange(n))

    def centre_s(self, frame: Any) -> Any:
        """Middle of a frame, or of each of an array of frames, by number, s after the first sample."""
        return (frame * self.stride + exact(self.receptive, 2)) / SAMPLE_RATE_HZ


def in_pieces(
    encode: Callable[[np.ndarray], np.ndarray],
    samples: np.ndarray | RowsOnDisk,
    clock: FrameClock,
    core_s: float = CORE_S,
    context_s: float = CONTEXT_S,
) -> Iterator[np.ndarray]:
    """Apply `encode` to a long sound, piece by piece, and yield the rows of each.

    Args:
        encode: Maps (n,) samples to (clock.count(n), D) rows.
        samples: (n,) float32.
        clock: Frames of `encode`.
        core_s: Length of the part of a piece whose rows are kept, s.
        context_s: Length of the context on each side of it, s.

    Yields:
        (m, D) float32, in all clock.count(n) rows.
    """
    n = clock.count(len(samples))
    core, context = round(core_s * clock.rate_hz), round(context_s * clock.rate_hz)
    for start in range(0, n, core):
        stop = min(start + core, n)
        first, last = max(0, start - context), min(n, stop + context)
        yield encode(samples[clock.span(first, last)])[start - first : stop - first]


def mean_and_variance(samples: np.ndarray | RowsOnDisk) -> tuple[np.floating, np.floating]:
    """Of all samples; of those on the disk, without holding them."""
    if isinstance(samples, np.ndarray):
        return samples.mean(), samples.var()
    blocks = range(0, len(samples), BLOCK)
    mean = sum(samples[k : k + BLOCK].sum(dtype=np.float64) for k in blocks) / len(samples)
    squares = sum(((samples[k : k + BLOCK] - mean) ** 2).sum(dtype=np.float64) for k in blocks)
    return np.float32(mean), np.float32(squares / len(samples))


class RunningLevel:
    """Mean and variance of a sound so far."""

    def __init__(self) -> None:
        self._sum = self._squares = 0.0
        self.heard = 0
        """Samples so far."""

    def add(self, samples: np.ndarray) -> tuple[float, float]:
        """(mean, variance) with the next samples."""
        new = samples.astype(np.float64)
        self._sum, self._squares = self._sum + new.sum(), self._squares + (new**2).sum()
        self.heard += len(new)
        mean = self._sum / self.heard
        return mean, max(self._squares / self.heard - mean**2, 0.0)


class Level:
    """Mean and variance of a sound: of all of it, or so far.

    Args:
        samples: In memory, or on the disk, from where no more than `BLOCK` of them are read at once.
        so_far: Whether each moment sees the sound before it alone.
    """

    def __init__(self, samples: np.ndarray | RowsOnDisk, so_far: bool) -> None:
        self._samples = samples
        self._whole = None if so_far else mean_and_variance(samples)
        self._running = RunningLevel()

    def until(self, end: int) -> tuple[float | np.floating, float | np.floating]:
        """(mean, variance) of the sound before sample `end`, which never decreases from call to call."""
        return self._whole or self._running.add(self._samples[self._running.heard : end])


class SpeechEncoder:
    """A loaded wav2vec 2.0 encoder."""

    def __init__(self, model: "Wav2Vec2Model", normalise: bool, layer: int, name: str) -> None:
        """Wrap a loaded model.

        Args:
            model: In evaluation mode.
            normalise: Whether it was trained on waveforms of zero mean and unit variance.
            layer: Hidden layer that `encode` returns.
            name: Name of the checkpoint, for messages.

        Raises:
            InputError: The model has no such layer.
        """
        n_layers = model.config.num_hidden_layers
        if not -n_layers - 1 <= layer <= n_layers:
            raise InputError(f"{name}: no layer {layer}; it has 0 to {n_layers} (-1 = last); correct `layer`")
        self.frames = FrameClock.of(model.config)
        self.width = model.config.hidden_size
        self._model, self._normalise = model, normalise
        self._layer = None if layer in (-1, n_layers) else layer

    @classmethod
    def load(cls, checkpoint: str, revision: str | None, layer: int) -> "SpeechEncoder":
        """Load a `Wav2Vec2Model` checkpoint; raises `InputError` as `pretrained`."""
        declare_operators()
        from transformers import Wav2Vec2Model

        model, normalise = pretrained(Wav2Vec2Model, checkpoint, revision)
        return cls(model, normalise, layer, checkpoint)

    def encode(self, samples: np.ndarray, causal: bool = False) -> np.ndarray:
        """(frames.count(n), width) float32 hidden states of (n,) samples at 16 kHz, in [-1, 1]."""
        return np.concatenate([np.empty((0, self.width), np.float32), *self.pieces(samples, causal)])

    def pieces(self, samples: np.ndarray | RowsOnDisk, causal: bool = False) -> Iterator[np.ndarray]:
        """The rows of `encode`, piece by piece.

        With `causal`, a frame depends on less than `CHUNK_S` of sound after its centre.
        """
        if not self.frames.count(len(samples)):
            return iter(())
        if causal:
            return self._encode_causally(samples)
        if not self._normalise:
            return in_pieces(self.encode_piece, samples, self.frames)
        # over the whole session: statistics of single pieces would jump from one to the next
        mean, variance = mean_and_variance(samples)
        scale = np.sqrt(variance + 1e-7)
        return in_pieces(
            lambda piece: self.encode_piece(((piece - mean) / scale).astype(np.float32)), samples, self.frames
        )

    def _encode_causally(self, samples: np.ndarray | RowsOnDisk) -> Iterator[np.ndarray]:
        """`pieces` as `CausalFrames` gives them."""
        arriving = CausalFrames(self)
        for first in range(0, len(samples), BLOCK):
            yield from (rows for _, rows, _ in arriving.hear(samples[first : first + BLOCK], True))
        yield from (rows for _, rows, _ in arriving.finish())

    def normalised(self, samples: np.ndarray, level: tuple[float, float]) -> np.ndarray:
        """Samples as the model takes them, by the mean and variance of the sound that they are from."""
        if not self._normalise:
            return samples
        mean, variance = level
        return ((samples - mean) / np.sqrt(variance + 1e-7)).astype(np.float32)

    def encode_piece(self, samples: np.ndarray) -> np.ndarray:
        """(frames.count(n), width) hidden states of (n,) samples as the model takes them, all at once."""
        import torch

        with torch.inference_mode():
            sound = torch.from_numpy(np.ascontiguousarray(samples))[None].to(self._model.device)
            output = self._model(sound, output_hidden_states=self._layer is not None)
            # some models normalise the output of the last layer, which only `last_hidden_state` contains
            states = output.last_hidden_state if self._layer is None else output.hidden_states[self._layer]
        return states[0].cpu().numpy()


class CausalFrames:
    """Frames of a sound as it arrives, in short cores, each with the sound before it.

    A frame depends on less than `CHUNK_S` of sound after its centre; the waveform is normalised by all sound so far.
    """

    def __init__(self, encoder: SpeechEncoder) -> None:
        clock = encoder.frames
        self._encoder, self._clock = encoder, clock
        self._core = max((round(CHUNK_S * SAMPLE_RATE_HZ) - clock.receptive // 2) // clock.stride + 1, 1)
        self._context = round(CONTEXT_S * clock.rate_hz)
        self._level = RunningLevel()
        self._samples, self._observed = np.empty(0, np.float32), np.empty(0, bool)
        self._first = 0
        """Number of the first sample that is kept."""
        self.next = 0
        """Number of the next frame."""

    @property
    def heard(self) -> int:
        """Samples so far."""
        return self._first + len(self._samples)

    def hear(self, samples: np.ndarray, observed: bool) -> list[tuple[int, np.ndarray, np.ndarray]]:
        """Cores that are complete with the next samples: number of the first frame, (m, width) rows, (m,) mask.

        A frame is valid where all of its own sound was observed; the others' rows are NaN.
        """
        self._samples = np.concatenate([self._samples, samples])
        self._observed = np.concatenate([self._observed, np.full(len(samples), observed)])
        cores = []
        while self.heard >= self._clock.span(self.next, self.next + self._core).stop:
            cores.append(self._encode(self.next + self._core))
        return cores

    def finish(self) -> list[tuple[int, np.ndarray, np.ndarray]]:
        """The last core, where the sound ends; it may be shorter."""
        n = self._clock.count(self.heard)
        return [self._encode(n)] if n > self.next else []

    def _encode(self, stop: int) -> tuple[int, np.ndarray, np.ndarray]:
        clock, start = self._clock, self.next
        first = max(0, start - self._context)
        span = clock.span(first, stop)
        here = slice(span.start - self._first, span.stop - self._first)
        level = self._level.add(self._samples[self._level.heard - self._first : here.stop])
        at = np.arange(start - first, stop - first)[:, None] * clock.stride + np.arange(clock.receptive)
        valid: np.ndarray = np.all(self._observed[here][at], axis=1)
        rows = np.full((stop - start, self._encoder.width), np.nan, np.float32)
        if valid.any():
            piece = self._encoder.normalised(self._samples[here], level)
            rows[valid] = self._encoder.encode_piece(piece)[start - first :][valid]
        self.next = stop
        kept = max(0, stop - self._context) * clock.stride
        self._samples, self._observed = (each[kept - self._first :].copy() for each in (self._samples, self._observed))
        self._first = kept
        return start, rows, valid


def pretrained(kind: "type[Wav2Vec2PreTrainedModel]", checkpoint: str, revision: str | None) -> tuple[Any, bool]:
    """Load a model of class `kind`.

    Returns:
        The model in float32, in evaluation mode, on the accelerator if there is one; and whether it was trained on
        normalised waveforms.

    Raises:
        InputError: The checkpoint cannot be loaded, belongs to another class, or expects another sampling rate.
    """
    from transformers import Wav2Vec2FeatureExtractor

    with loading(checkpoint, revision):
        model, folder, _ = loaded(kind, checkpoint, revision)
        preprocessor = Wav2Vec2FeatureExtractor.from_pretrained(folder)
        if preprocessor.sampling_rate != SAMPLE_RATE_HZ:
            raise ValueError(f"it expects {preprocessor.sampling_rate} Hz; damamba reads sound at {SAMPLE_RATE_HZ} Hz")
    return model, bool(preprocessor.do_normalize)
