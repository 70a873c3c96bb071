"""Cue emotion: an emotion token, one row per `hop_s`.

Stream: (N, hidden_size + n) float32 at 1 / `hop_s`. A token is the mean hidden state of `window_s` of sound around its
time, followed by the n dimensions that the model's head predicts from it (arousal, dominance, valence). The encoder
runs once over the whole session and its frames are pooled, so overlapping windows cost nothing; a frame therefore
depends on some sound outside its window. Times are k * `hop_s` after the first sample; windows at the ends of the sound
are shorter, but never less than half.

With `causal`, the window ends at the token's time, and the encoder's frames depend on `CHUNK_S` after their own time at
most. Tokens with less than half a window of sound before them are not valid.

Source:
    Wagner et al. 2023, arXiv:2203.07378 (model and pooling); window and hop: free choice, docs/design.md.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from damamba.config import Section
from damamba.encoders.checkpoint import local_weights, revision_of
from damamba.encoders.speech_encoder import CHUNK_S, CausalFrames, SpeechEncoder, pretrained
from damamba.encoders.torchvision_import import declare_operators
from damamba.features.extractor import SOUND_LOOKAHEAD_S, Extractor, ExtractorInput
from damamba.features.stepper import Rows, SoundStepper, joined, rows_of_sound
from damamba.media.sound import SAMPLE_RATE_HZ, Waveform, read_waveform
from damamba.streams.stream import FeatureStream

LEAST_OBSERVED = 0.5
"""Share of its window that a token needs."""
EPSILON_S = 1e-9
"""A token at the very end of the sound is one."""


class EmotionParams(Section):
    """Keys of the cue in params.yaml."""

    checkpoint: str
    """Folder or hub id of a wav2vec 2.0 encoder with audEERING's head."""
    revision: str | None
    """Commit of a hub checkpoint."""
    window_s: Annotated[float, Field(ge=0.1)]
    """Length of the sound that is pooled to a token, s."""
    hop_s: Annotated[float, Field(ge=0.02)]
    """Time from one token to the next, s."""
    causal: bool = False
    """Tokens of the sound before their time; the encoder takes about seven times as long."""


class Emotion(Extractor[EmotionParams]):
    """Pooled hidden states and dimensions of an emotion model."""

    Params = EmotionParams
    media = "audio"
    uses_device = True

    @property
    def lookahead_s(self) -> float | None:
        """With `causal`, that of the encoder's frames."""
        return CHUNK_S + SOUND_LOOKAHEAD_S if self.params.causal else None

    def weights(self) -> list[Path]:
        """Files of the checkpoint, if it is a folder."""
        return local_weights(self.params.checkpoint)

    def load(self) -> None:
        """Load encoder and head; raises `InputError` where the checkpoint cannot be loaded."""
        declare_operators()
        from damamba.encoders.emotion_model import EmotionModel

        name, revision = self.params.checkpoint, self.params.revision
        model, normalise = pretrained(EmotionModel, name, revision)
        self._encoder = SpeechEncoder(model.wav2vec2, normalise, -1, name)
        self._head = model.classifier
        self._dimensions = tuple(name for _, name in sorted((model.config.id2label or {}).items()))

    def extract(self, source: ExtractorInput) -> FeatureStream:
        """Tokens of one participant; valid where half of the window was observed, and pooled over that."""
        waveform = read_waveform(source.audio)
        if self.params.causal:
            t_s, x, valid, score = rows_of_sound(self.sound_stepper(waveform.start_s), waveform)
        else:
            t_s, x, valid, score = self._whole(waveform)
        return FeatureStream(
            t_s=t_s,
            x=x,
            valid=valid,
            score=score,
            rate_hz=1 / self.params.hop_s,
            channels=(*(f"state_{i}" for i in range(self._encoder.width)), *self._dimensions),
            extractor="emotion",
            checkpoint=self.params.checkpoint,
            revision=revision_of(self.params.checkpoint, self.params.revision),
        )

    def sound_stepper(self, start_s: float) -> SoundStepper:
        """The rows of `extract` with `causal`."""
        return _Tokens(self, self._encoder, self.params, start_s)

    def _whole(self, waveform: Waveform) -> Rows:
        clock = self._encoder.frames
        frames_s = clock.centres_s(clock.count(len(waveform.samples)))
        duration_s = len(waveform.samples) / SAMPLE_RATE_HZ
        n = int(duration_s / self.params.hop_s) + 1 if len(frames_s) else 0
        times_s = np.arange(n) * self.params.hop_s
        window_s, half_s = self.params.window_s, clock.receptive / SAMPLE_RATE_HZ / 2
        heard = waveform.observed(frames_s - half_s, frames_s + half_s) == 1
        edges_s = [times_s - window_s / 2, times_s + window_s / 2]
        valid = waveform.observed(*edges_s) >= LEAST_OBSERVED
        valid &= np.diff(np.searchsorted(frames_s[heard], edges_s), axis=0)[0] > 0
        states = _where(heard, self._encoder.pieces(waveform.samples))
        x = np.full((n, self.width), np.nan, np.float32)
        x[valid] = self.tokens(pool(states, self._encoder.width, frames_s[heard], times_s[valid], window_s))
        return Rows(waveform.start_s + times_s, x, valid, valid.astype(np.float32))

    @property
    def width(self) -> int:
        """Channels of a token."""
        return self._encoder.width + len(self._dimensions)

    def tokens(self, pooled: np.ndarray) -> np.ndarray:
        """(n, width) float32 of (n, hidden_size) pooled states."""
        return np.hstack([pooled, self._dimensions_of(pooled)])

    def _dimensions_of(self, tokens: np.ndarray) -> np.ndarray:
        import torch

        with torch.inference_mode():
            device = self._head.out_proj.weight.device
            return self._head(torch.from_numpy(tokens).to(device)).cpu().numpy()


class _Tokens(SoundStepper):
    """Tokens of the sound before their time, as it arrives."""

    def __init__(self, emotion: Emotion, encoder: SpeechEncoder, params: EmotionParams, start_s: float) -> None:
        self._emotion, self._params, self._start_s = emotion, params, start_s
        self._clock, self._frames = encoder.frames, CausalFrames(encoder)
        self.width = emotion.width
        self._next = 0
        """Number of the next token."""
        self._window = round(params.window_s * SAMPLE_RATE_HZ)
        self._observed = np.empty(0, bool)
        """Of the last samples, which a window may contain."""
        self._states: deque[tuple[float, np.ndarray]] = deque()
        """Centre and row of the frames that were heard, which a window may contain."""

    @property
    def next_s(self) -> float:
        return self._start_s + self._next * self._params.hop_s

    def hear(self, samples: np.ndarray, observed: bool) -> Rows:
        self._observed = np.concatenate([self._observed, np.full(len(samples), observed)])
        self._take(self._frames.hear(samples, observed))
        return self._tokens(self._clock.centre_s(self._frames.next))

    def finish(self) -> Rows:
        self._take(self._frames.finish())
        return self._tokens(self._frames.heard / SAMPLE_RATE_HZ + EPSILON_S if self._frames.next else 0.0)

    def _take(self, cores: Iterable[tuple[int, np.ndarray, np.ndarray]]) -> None:
        for first, rows, valid in cores:
            for k in np.flatnonzero(valid):
                self._states.append((self._clock.centre_s(first + int(k)), rows[k]))

    def _tokens(self, until_s: float) -> Rows:
        """Tokens before a moment; all frames in their windows are there."""
        rows = []
        hop_s = self._params.hop_s
        while (t_s := self._next * hop_s) < until_s:
            rows.append(Rows.one(self._start_s + t_s, self._token(t_s), 1.0, self.width))
            self._next += 1
        spare = self._frames.heard - round(self._next * hop_s * SAMPLE_RATE_HZ) + self._window
        self._observed = self._observed[max(len(self._observed) - max(spare, 0), 0) :]
        return joined(rows, self.width)

    def _token(self, t_s: float) -> np.ndarray | None:
        """None with less than half a window of sound, or of what was observed of it."""
        first_s = t_s - self._params.window_s
        while self._states and self._states[0][0] < first_s:
            self._states.popleft()
        inside = [row for centre_s, row in self._states if centre_s < t_s]
        stop = round(t_s * SAMPLE_RATE_HZ) - (self._frames.heard - len(self._observed))
        observed = self._observed[max(stop - self._window, 0) : stop]
        if not inside or t_s < self._params.window_s / 2 or observed.mean() < LEAST_OBSERVED:
            return None
        pooled = np.mean(np.stack(inside)[None], axis=1, dtype=np.float64)
        return self._emotion.tokens(pooled.astype(np.float32))[0]


def _where(heard: np.ndarray, pieces: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """The rows of pieces that were heard."""
    first = 0
    for piece in pieces:
        yield piece[heard[first : first + len(piece)]]
        first += len(piece)


def pool(
    pieces: Iterable[np.ndarray], width: int, frames_s: np.ndarray, times_s: np.ndarray, window_s: float
) -> np.ndarray:
    """Mean of the frames within half a window of each time; a few windows of frames are in memory.

    Args:
        pieces: (m, width) rows of the frames, M in all.
        width: Of a row.
        frames_s: (M,) times of the frames, s, increasing.
        times_s: (N,) middles of the windows, s, increasing; every window must contain a frame.
        window_s: Length of a window, s.

    Returns:
        (N, width) float32.
    """
    first = np.searchsorted(frames_s, times_s - window_s / 2)
    last = np.searchsorted(frames_s, times_s + window_s / 2)
    pooled = np.empty((len(times_s), width), np.float32)
    totals, low, done = np.zeros((1, width)), 0, 0
    """Sums of all frames before the frames `low`, `low` + 1, …"""
    for piece in pieces:
        sums = np.cumsum(np.vstack([totals[-1:], piece]), axis=0, dtype=np.float64)
        totals = np.vstack([totals, sums[1:]])
        ready = int(np.searchsorted(last, low + len(totals) - 1, side="right"))
        a, b = first[done:ready], last[done:ready]
        pooled[done:ready] = (totals[b - low] - totals[a - low]) / (b - a)[:, None]
        done = ready
        kept = int(first[done]) if done < len(first) else low + len(totals) - 1
        totals, low = totals[kept - low :], kept
    if done != len(times_s):
        raise ValueError(f"{len(times_s) - done} windows end after the last frame")
    return pooled
