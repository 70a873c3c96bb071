"""A cue of a third modality group: how often the sound rises, four times a second."""

import numpy as np

from damamba.config import PositiveFloat, Section
from damamba.features.extractor import Extractor, ExtractorInput
from damamba.media.decode import read_waveform
from damamba.streams.stream import FeatureStream


class SyllablesParams(Section):
    hop_s: PositiveFloat


class Syllables(Extractor[SyllablesParams]):
    Params = SyllablesParams
    media = "audio"

    def extract(self, source: ExtractorInput) -> FeatureStream:
        sound = read_waveform(source.audio)
        hop = round(self.params.hop_s * sound.rate_hz)
        pieces = sound.samples[: len(sound.samples) // hop * hop].reshape(-1, 10, hop // 10)
        rises = (np.diff(np.abs(pieces).mean(2), axis=1) > 0).mean(1, keepdims=True)
        valid = np.ones(len(rises), bool)
        return FeatureStream(
            t_s=sound.start_s + np.arange(len(rises)) * self.params.hop_s,
            x=rises.astype(np.float32),
            valid=valid,
            score=valid.astype(np.float32),
            rate_hz=1 / self.params.hop_s,
            channels=("rises",),
            extractor="syllables",
        )
