"""Two extractors whose rows show their time: brightness of every frame, loudness of every 5 ms."""

import numpy as np

from damamba.config import Section
from damamba.console import InputError
from damamba.features.extractor import Extractor, ExtractorInput
from damamba.media.decode import read_frames
from damamba.media.sound import read_waveform
from damamba.streams.stream import FeatureStream


class Settings(Section):
    gain: float = 1.0
    weights: str = ""


class Brightness(Extractor[Settings]):
    Params = Settings
    media = "video"

    def weights(self):
        from pathlib import Path

        return [Path(self.params.weights)] if self.params.weights else []

    def extract(self, source: ExtractorInput) -> FeatureStream:
        rows = [(frame.t_s, frame.image.mean()) for frame in read_frames(source.video)]
        t, x = np.array(rows).T
        if x.max() < 30:
            raise InputError(f"{source.video}: too dark")
        seen = np.ones(len(t), bool)
        x = self.params.gain * x[:, None].astype(np.float32)
        return FeatureStream(t, x, seen, seen.astype(np.float32), source.participant.rate_hz, ("level",), "brightness")


class Loudness(Extractor[Settings]):
    Params = Settings
    media = "audio"

    def extract(self, source: ExtractorInput) -> FeatureStream:
        sound = read_waveform(source.audio)
        n = len(sound.samples) // 80
        x = np.abs(sound.samples[: n * 80].reshape(n, 80)).max(1, keepdims=True)
        t = sound.start_s + (np.arange(n) + 0.5) * 80 / sound.rate_hz
        seen = np.ones(n, bool)
        return FeatureStream(t, x.astype(np.float32), seen, seen.astype(np.float32), 200.0, ("level",), "loudness")
