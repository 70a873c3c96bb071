"""Cue elapsed: the time since the session began, for a row that shows what a clock alone would score.

Engagement often sinks or rises in the course of a session, in all sessions alike. A model that follows the clock then
scores without having looked at anybody. The cue belongs to the group ``reference``: only a model that names it uses it
(`model.cues`, or `cues` of a variant).

Stream: (N, 8) float32, a row a second: how near the time is to each of eight moments, so that a linear reading of the
rows is any curve with bends at these moments.
"""

import numpy as np

from damamba.config import Section
from damamba.corpus.manifest import Participant
from damamba.features.extractor import Extractor, ExtractorInput
from damamba.streams.stream import FeatureStream

MOMENTS_S = (0.0, 30.0, 60.0, 120.0, 240.0, 480.0, 960.0, 1920.0)
"""From the last on the rows are all alike."""
RATE_HZ = 1.0


class ElapsedParams(Section):
    """The cue has no keys of its own."""


class Elapsed(Extractor[ElapsedParams]):
    """Time since the start; neither media nor streams are read."""

    Params = ElapsedParams
    media = "streams"

    @property
    def lookahead_s(self) -> float:
        """0."""
        return 0.0

    def lacks(self, participant: Participant) -> str:
        """Nothing: everyone has a clock."""
        return ""

    def input_key(self, participant: Participant) -> str:
        """Length of the session."""
        return f"{participant.duration_s}"

    def extract(self, source: ExtractorInput) -> FeatureStream:
        """Rows up to the end of the recording, and one at its end."""
        t_s = np.append(np.arange(0, source.participant.duration_s, 1 / RATE_HZ), source.participant.duration_s)
        t_s = np.unique(t_s)
        x = np.stack([np.interp(t_s, MOMENTS_S, row) for row in np.eye(len(MOMENTS_S))], axis=1)
        return FeatureStream(
            t_s=t_s,
            x=x.astype(np.float32),
            valid=np.ones(len(t_s), bool),
            score=np.ones(len(t_s), np.float32),
            rate_hz=RATE_HZ,
            channels=tuple(f"near_{moment:g}_s" for moment in MOMENTS_S),
            extractor="elapsed",
        )
