"""A corpus source: one session of all videos in a folder, each with its sound beside it; all labels are one number."""

from pathlib import Path

import numpy as np

from damamba.config import Section
from damamba.corpus.labels import Labels
from damamba.corpus.manifest import Participant
from damamba.ingest.sources.base import Source, SourceListing


class PairsParams(Section):
    root: str
    engagement: float


class Pairs(Source[PairsParams]):
    Params = PairsParams

    def listing(self) -> SourceListing:
        return SourceListing(
            [
                Participant(
                    "pairs",
                    "1",
                    path.stem,
                    "guest",
                    "train",
                    "en",
                    path.stem,
                    str(path),
                    str(path.with_suffix(".wav")),
                    "constant",
                )
                for path in sorted(Path(self.params.root).glob("*.mp4"))
            ]
        )

    def labels(self, participant, end_s) -> Labels:
        n = round(end_s * 25)
        return Labels(np.full(n, self.params.engagement, np.float32), np.ones(n, bool))
