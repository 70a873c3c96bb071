"""Cue of any speech encoder of transformers, such as w2v-BERT 2.0, WavLM or the encoder of Whisper.

Stream: (N, hidden_size) float32; width and rate are read from the checkpoint. The encoder hears a session in pieces of
`CORE_S`, with `CONTEXT_S` on each side; with `causal`, in chunks of `CHUNK_S` after the sound before them. A row's time
is the middle of its stride of sound, right to half a row.

Source:
    ``AutoModel`` and ``AutoFeatureExtractor`` of transformers.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from damamba.config import Section
from damamba.encoders.auto import SoundEncoder
from damamba.encoders.checkpoint import local_weights, revision_of
from damamba.encoders.speech_encoder import CHUNK_S, Level
from damamba.features.extractor import SOUND_LOOKAHEAD_S, Extractor, ExtractorInput
from damamba.media.sound import SAMPLE_RATE_HZ, read_waveform
from damamba.spool import RowsOnDisk, SpooledRows
from damamba.streams.stream import FeatureStream

CORE_S, CONTEXT_S = 26.0, 2.0
"""Of a piece, s: together what Whisper hears at once."""


class AudioModelParams(Section):
    """Keys of the cue in params.yaml."""

    checkpoint: str
    """Folder or repository on the hub, such as facebook/w2v-bert-2.0."""
    revision: str | None
    """Commit of a hub checkpoint."""
    layer: int = -1
    """Hidden layer: 0 is the input of the first one, -1 the last."""
    causal: bool = False
    """Encode short chunks after the sound before them; takes many times as long."""


class AudioModel(Extractor[AudioModelParams]):
    """Hidden states of a speech encoder."""

    Params = AudioModelParams
    media = "audio"
    uses_device = True

    @property
    def lookahead_s(self) -> float | None:
        """With `causal`, the rest of a row's chunk."""
        return CHUNK_S + SOUND_LOOKAHEAD_S if self.params.causal else None

    def weights(self) -> list[Path]:
        """Files of the checkpoint, if it is a folder."""
        return local_weights(self.params.checkpoint)

    def load(self) -> None:
        """Load the model; raises `InputError` where the checkpoint cannot be loaded."""
        self._encoder = SoundEncoder(self.params.checkpoint, self.params.revision, self.params.layer)

    def extract(self, source: ExtractorInput) -> FeatureStream:
        """Rows of one participant; valid where all of their own sound was observed."""
        waveform = read_waveform(source.audio)
        encoder, rate_hz = self._encoder, SAMPLE_RATE_HZ / self._encoder.stride
        n = len(waveform.samples) // encoder.stride
        edges_s = np.arange(n + 1) / rate_hz
        observed = waveform.observed(edges_s[:-1], edges_s[1:]) == 1
        rows, valid = SpooledRows(encoder.width), np.zeros(n, bool)
        for piece in self._pieces(waveform.samples, n):
            there = observed[rows.n : rows.n + len(piece)] & np.isfinite(piece).all(1)
            valid[rows.n : rows.n + len(piece)] = there
            rows.append(np.where(there[:, None], piece, np.float32(np.nan)))
        return FeatureStream(
            t_s=waveform.start_s + (edges_s[:-1] + edges_s[1:]) / 2,
            x=rows.rows(),
            valid=valid,
            score=valid.astype(np.float32),
            rate_hz=rate_hz,
            channels=tuple(f"state_{i}" for i in range(encoder.width)),
            extractor="audio_model",
            checkpoint=self.params.checkpoint,
            revision=revision_of(self.params.checkpoint, self.params.revision),
        )

    def _pieces(self, samples: np.ndarray | RowsOnDisk, n: int) -> Iterator[np.ndarray]:
        """The rows of the cores, in order."""
        encoder, causal = self._encoder, self.params.causal
        stride = encoder.stride
        # an encoder may give one row less than there are strides of sound: a causal piece hears one more than it keeps
        lengths = (CHUNK_S, CONTEXT_S, 0.0) if causal else (CORE_S, CONTEXT_S, CONTEXT_S)
        core, before, after = (round(s * SAMPLE_RATE_HZ / stride) for s in lengths)
        if causal:
            core, after = max(core - 1, 1), 1
        if encoder.longest:
            core = min(core, max(1, encoder.longest // stride - before - after))
        level = Level(samples, so_far=causal) if encoder.normalised and n else None
        for start in range(0, n, core):
            stop = min(start + core, n)
            first, last = max(0, start - before), min(n, stop + after)
            piece = samples[first * stride : last * stride]
            if level:
                mean, variance = level.until(last * stride)
                piece = ((piece - mean) / np.sqrt(variance + 1e-7)).astype(np.float32)
            yield encoder.rows(piece)[start - first : stop - first]
