"""Cue wav2vec2: hidden states of a speech encoder, one row per frame of 20 ms.

Stream: (N, hidden_size) float32 at 50 Hz. The time of frame k is the middle of the sound that the convolutions read for
it: (k * 320 + 200) / 16000 s after the first sample. The encoder hears a session in pieces, and a frame depends on all
of its piece; with `causal`, on `CHUNK_S` after its time at most, see `damamba.encoders.speech_encoder`.

Source:
    Baevski et al. 2020, arXiv:2006.11477.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from damamba.config import Section
from damamba.encoders.checkpoint import local_weights, revision_of
from damamba.encoders.speech_encoder import CHUNK_S, CausalFrames, SpeechEncoder
from damamba.features.extractor import SOUND_LOOKAHEAD_S, Extractor, ExtractorInput
from damamba.features.stepper import Rows, SoundStepper, rows_of_sound
from damamba.media.sound import SAMPLE_RATE_HZ, Waveform, read_waveform
from damamba.spool import SpooledRows
from damamba.streams.stream import FeatureStream


class Wav2Vec2Params(Section):
    """Keys of the cue in params.yaml."""

    checkpoint: str
    """Folder or hub id for `Wav2Vec2Model.from_pretrained`."""
    revision: str | None
    """Commit of a hub checkpoint."""
    layer: int
    """Hidden layer: 0 is the input of the transformer, -1 the last."""
    causal: bool = False
    """Encode short chunks after the sound before them; takes about seven times as long."""


class Wav2Vec2(Extractor[Wav2Vec2Params]):
    """Hidden states of a wav2vec 2.0 encoder."""

    Params = Wav2Vec2Params
    media = "audio"
    uses_device = True

    @property
    def lookahead_s(self) -> float | None:
        """With `causal`, the rest of a frame's chunk."""
        return CHUNK_S + SOUND_LOOKAHEAD_S if self.params.causal else None

    def weights(self) -> list[Path]:
        """Files of the checkpoint, if it is a folder."""
        return local_weights(self.params.checkpoint)

    def load(self) -> None:
        """Load the model; raises `InputError` where the checkpoint cannot be loaded."""
        self._encoder = SpeechEncoder.load(self.params.checkpoint, self.params.revision, self.params.layer)

    def extract(self, source: ExtractorInput) -> FeatureStream:
        """Frames of one participant; valid where all of the sound that they hear was observed."""
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
            rate_hz=self._encoder.frames.rate_hz,
            channels=tuple(f"state_{i}" for i in range(self._encoder.width)),
            extractor="wav2vec2",
            checkpoint=self.params.checkpoint,
            revision=revision_of(self.params.checkpoint, self.params.revision),
        )

    def sound_stepper(self, start_s: float) -> SoundStepper:
        """The rows of `extract` with `causal`."""
        return _Frames(self._encoder, start_s)

    def _whole(self, waveform: Waveform) -> Rows:
        frames = self._encoder.frames
        n = frames.count(len(waveform.samples))
        centres_s, half_s = frames.centres_s(n), frames.receptive / SAMPLE_RATE_HZ / 2
        valid = waveform.observed(centres_s - half_s, centres_s + half_s) == 1
        states = SpooledRows(self._encoder.width)
        for piece in self._encoder.pieces(waveform.samples):
            states.append(np.where(valid[states.n : states.n + len(piece), None], piece, np.float32(np.nan)))
        return Rows(waveform.start_s + centres_s, states.rows(), valid, valid.astype(np.float32))


class _Frames(SoundStepper):
    """Hidden states as the sound arrives."""

    def __init__(self, encoder: SpeechEncoder, start_s: float) -> None:
        self.width = encoder.width
        self._clock, self._frames, self._start_s = encoder.frames, CausalFrames(encoder), start_s

    @property
    def next_s(self) -> float:
        return self._start_s + self._clock.centre_s(self._frames.next)

    def hear(self, samples: np.ndarray, observed: bool) -> Rows:
        return self._rows(self._frames.hear(samples, observed))

    def finish(self) -> Rows:
        return self._rows(self._frames.finish())

    def _rows(self, cores: Sequence[tuple[int, np.ndarray, np.ndarray]]) -> Rows:
        if not cores:
            return Rows.none(self.width)
        first, _, _ = cores[0]
        x, valid = (np.concatenate([core[i] for core in cores]) for i in (1, 2))
        t_s = self._start_s + self._clock.centre_s(np.arange(first, first + len(valid)))
        return Rows(t_s, x, valid, valid.astype(np.float32))
