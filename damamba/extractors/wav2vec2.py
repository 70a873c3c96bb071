"""Cue wav2vec2: hidden states of a speech encoder, one row per frame of 20 ms.

Stream: (N, hidden_size) float32 at 50 Hz. The time of frame k is the middle of the sound that the convolutions read for
it: (k * 320 + 200) / 16000 s after the first sample. The encoder hears a session in pieces, and a frame depends on all
of its piece; with `causal`, on `CHUNK_S` after its time at most, see `damamba.encoders.speech_encoder`.

Source:
    Baevski et al. 2020, arXiv:2006.11477.
"""

from pathlib import Path

import numpy as np

from damamba.config import Section
from damamba.encoders.checkpoint import local_weights, revision_of
from damamba.encoders.speech_encoder import CHUNK_S, SpeechEncoder
from damamba.features.extractor import SOUND_LOOKAHEAD_S, Extractor, ExtractorInput
from damamba.media.sound import SAMPLE_RATE_HZ, read_waveform
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
        states = self._encoder.encode(waveform.samples, self.params.causal)
        frames = self._encoder.frames
        n = len(states)
        centres_s, half_s = frames.centres_s(n), frames.receptive / SAMPLE_RATE_HZ / 2
        valid = waveform.observed(centres_s - half_s, centres_s + half_s) == 1
        states[~valid] = np.nan
        return FeatureStream(
            t_s=waveform.start_s + centres_s,
            x=states,
            valid=valid,
            score=valid.astype(np.float32),
            rate_hz=frames.rate_hz,
            channels=tuple(f"state_{i}" for i in range(states.shape[1])),
            extractor="wav2vec2",
            checkpoint=self.params.checkpoint,
            revision=revision_of(self.params.checkpoint, self.params.revision),
        )
