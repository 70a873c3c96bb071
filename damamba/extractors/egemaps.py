"""Cue egemaps: functionals of voice and prosody by openSMILE, for recordings of your own; as the release has them.

Stream: (N, 88) float32 at 1 / `hop_s` (25 Hz as released). Row k is of the sound from (k + 1) * `hop_s` - `window_s` to
(k + 1) * `hop_s` after the first sample, and stands at the beginning of its hop, k * `hop_s`: row k and label k belong
together, and nothing from after the hop is heard. Rows with too little sound behind them are not valid.

Needs the extra ``egemaps``: pip install 'damamba[egemaps]'. openSMILE may be used for research and other non-commercial
purposes alone (audEERING Research License Agreement), and so may what is computed with it. It takes about as long as
the sound lasts, a core: openSMILE is set up anew for every row.

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
from damamba.features.extractor import Extractor, Recording
from damamba.streams.stream import FeatureStream

LEAST_S = 0.3
"""Sound that the functionals need: with less, most of them are undefined."""

logger = logging.getLogger(__name__)


class EgemapsParams(Section):
    """Keys of the cue in params.yaml."""

    window_s: Annotated[float, Field(ge=LEAST_S)]
    """Sound behind a row, s; the release has 1.0."""
    hop_s: Annotated[float, Field(gt=0)]
    """From one row to the next, s; the release has 0.04."""


class Egemaps(Extractor[EgemapsParams]):
    """EGeMAPS v02 functionals of the sound before each row."""

    Params = EgemapsParams
    media = "audio"

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
        if multiprocessing.parent_process() is None:  # once a stage, not once a worker
            logger.info("openSMILE %s · licence: research and other non-commercial use only", opensmile.__version__)
        self._version: str = opensmile.__version__
        self._smile = opensmile.Smile(
            feature_set=opensmile.FeatureSet.eGeMAPSv02, feature_level=opensmile.FeatureLevel.Functionals
        )

    def extract(self, recording: Recording) -> FeatureStream:
        """Functionals of one participant's sound."""
        sound = recording.waveform()
        hop, window, least = (round(s * sound.rate_hz) for s in (self.params.hop_s, self.params.window_s, LEAST_S))
        ends = np.arange(hop, len(sound.samples) + 1, hop)
        names = tuple(self._smile.feature_names)
        x = np.full((len(ends), len(names)), np.nan, np.float32)
        for row, end in enumerate(ends):
            heard = sound.samples[max(end - window, 0) : end]
            if len(heard) >= least:
                x[row] = self._smile.process_signal(heard, sound.rate_hz).to_numpy()[0]
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
