"""Cue egemaps: openSMILE's functionals of voice and prosody, for recordings of your own; the release has the same.

Stream: (N, 88) float32 at 1 / `hop_s` (25 Hz in the release). Row k describes the sound from
(k + 1) * `hop_s` - `window_s` to (k + 1) * `hop_s` after the first sample. Its time is the start of its hop,
k * `hop_s`: row k belongs to label k, and no sound from after the hop is used. Rows with too little sound before them,
or with a hole in it, are not valid.

Needs the extra ``egemaps``: pip install 'damamba[egemaps]'. openSMILE and its results may be used only for research and
other non-commercial purposes (audEERING Research License Agreement). On one core it takes about as long as the sound
lasts, since openSMILE is set up again for every row.

Source:
    Eyben et al. 2016, doi:10.1109/TAFFC.2015.2457417; window and hop as in hcmlab/MultiMediate26
    ``feature_extraction/AudioFeatureExtraction.txt`` (40 ms and 960 ms before).
"""

import logging
import multiprocessing
from typing import Annotated

import numpy as np
from pydantic import Field

from damamba.config import Section
from damamba.console import InputError
from damamba.features.extractor import SOUND_LOOKAHEAD_S, Extractor, ExtractorInput
from damamba.media.sound import read_waveform
from damamba.streams.stream import FeatureStream

LEAST_S = 0.3
"""With less sound, most functionals are undefined."""

logger = logging.getLogger(__name__)


class EgemapsParams(Section):
    """Keys of the cue in params.yaml."""

    window_s: Annotated[float, Field(ge=LEAST_S)]
    """Length of the sound that a row describes, s; 1.0 in the release."""
    hop_s: Annotated[float, Field(gt=0)]
    """Time from one row to the next, s; 0.04 in the release."""


class Egemaps(Extractor[EgemapsParams]):
    """EGeMAPS v02 functionals of the sound before each row."""

    Params = EgemapsParams
    media = "audio"

    @property
    def lookahead_s(self) -> float:
        """The hop: a row stands at its start."""
        return self.params.hop_s + SOUND_LOOKAHEAD_S

    def load(self) -> None:
        """Import openSMILE.

        Raises:
            InputError: It is not installed.
        """
        try:
            import opensmile  # pyright: ignore[reportMissingImports]
        except ImportError:
            raise InputError(
                "cue egemaps: openSMILE is not installed; pip install 'damamba[egemaps]' (licence: research and other "
                "non-commercial use only), or remove the cue from params.yaml"
            ) from None
        if multiprocessing.parent_process() is None:  # once per stage, not once per worker
            logger.info("openSMILE %s · licence: research and other non-commercial use only", opensmile.__version__)
        self._version: str = opensmile.__version__
        self._smile = opensmile.Smile(
            feature_set=opensmile.FeatureSet.eGeMAPSv02, feature_level=opensmile.FeatureLevel.Functionals
        )

    def extract(self, source: ExtractorInput) -> FeatureStream:
        """Functionals of one participant's sound; raises `InputError` where the sound cannot be decoded."""
        sound = read_waveform(source.audio)
        hop, window, least = (round(s * sound.rate_hz) for s in (self.params.hop_s, self.params.window_s, LEAST_S))
        ends = np.arange(hop, len(sound.samples) + 1, hop)
        names = tuple(self._smile.feature_names)
        x = np.full((len(ends), len(names)), np.nan, np.float32)
        observed = sound.observed(np.maximum(ends - window, 0) / sound.rate_hz, ends / sound.rate_hz) == 1
        for row, end in enumerate(ends):
            past = sound.samples[max(end - window, 0) : end]
            if len(past) >= least and observed[row]:
                x[row] = self._smile.process_signal(past, sound.rate_hz).to_numpy()[0]
        valid: np.ndarray = np.isfinite(x).all(axis=1)  # type: ignore[assignment]
        x[~valid] = np.nan
        return FeatureStream(
            t_s=sound.start_s + np.arange(len(ends)) * self.params.hop_s,
            x=x,
            valid=valid,
            score=valid.astype(np.float32),
            rate_hz=1 / self.params.hop_s,
            channels=names,
            extractor="egemaps",
            checkpoint="openSMILE eGeMAPSv02",
            revision=self._version,
        )
