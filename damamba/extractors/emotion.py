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

from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from damamba.config import Section
from damamba.encoders.checkpoint import local_weights, revision_of
from damamba.encoders.speech_encoder import CHUNK_S, SpeechEncoder, pretrained
from damamba.encoders.torchvision_import import declare_operators
from damamba.features.extractor import SOUND_LOOKAHEAD_S, Extractor, ExtractorInput
from damamba.media.sound import SAMPLE_RATE_HZ, read_waveform
from damamba.streams.stream import FeatureStream

LEAST_OBSERVED = 0.5
"""Share of its window that a token needs."""


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
        states = self._encoder.encode(waveform.samples, self.params.causal)
        duration_s = len(waveform.samples) / SAMPLE_RATE_HZ
        n = int(duration_s / self.params.hop_s) + 1 if len(states) else 0
        times_s = np.arange(n) * self.params.hop_s
        half_s = self.params.window_s / 2
        middles_s = times_s - half_s if self.params.causal else times_s
        frames_s, frame_s = self._encoder.frames.centres_s(len(states)), self._encoder.frames.receptive / SAMPLE_RATE_HZ
        heard = waveform.observed(frames_s - frame_s / 2, frames_s + frame_s / 2) == 1
        valid = waveform.observed(middles_s - half_s, middles_s + half_s) >= LEAST_OBSERVED
        valid &= np.diff(np.searchsorted(frames_s[heard], [middles_s - half_s, middles_s + half_s]), axis=0)[0] > 0
        valid &= middles_s >= 0
        tokens = pool(states[heard], frames_s[heard], middles_s[valid], self.params.window_s)
        x = np.full((n, tokens.shape[1] + len(self._dimensions)), np.nan, np.float32)
        x[valid] = np.hstack([tokens, self._dimensions_of(tokens)])
        return FeatureStream(
            t_s=waveform.start_s + times_s,
            x=x,
            valid=valid,
            score=valid.astype(np.float32),
            rate_hz=1 / self.params.hop_s,
            channels=(*(f"state_{i}" for i in range(tokens.shape[1])), *self._dimensions),
            extractor="emotion",
            checkpoint=self.params.checkpoint,
            revision=revision_of(self.params.checkpoint, self.params.revision),
        )

    def _dimensions_of(self, tokens: np.ndarray) -> np.ndarray:
        import torch

        with torch.inference_mode():
            device = self._head.out_proj.weight.device
            return self._head(torch.from_numpy(tokens).to(device)).cpu().numpy()


def pool(states: np.ndarray, frames_s: np.ndarray, times_s: np.ndarray, window_s: float) -> np.ndarray:
    """Mean of the frames within half a window of each time.

    Args:
        states: (M, D) rows of the frames.
        frames_s: (M,) times of the frames, s, increasing.
        times_s: (N,) middles of the windows, s; every window must contain a frame.
        window_s: Length of a window, s.

    Returns:
        (N, D) float32.
    """
    first = np.searchsorted(frames_s, times_s - window_s / 2)
    last = np.searchsorted(frames_s, times_s + window_s / 2)
    total = np.vstack([np.zeros((1, states.shape[1])), np.cumsum(states, axis=0, dtype=np.float64)])
    return ((total[last] - total[first]) / (last - first)[:, None]).astype(np.float32)
