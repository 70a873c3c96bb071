"""Streams of SSI, NOVA and DISCOVER: ``X.stream`` beside ``X.stream~``."""

from pathlib import Path

import numpy as np

from damamba.corpus.own_stream import open_own
from damamba.importing.feature_file import FeatureFile, ReadOptions
from damamba.importing.formats.base import Format
from damamba.importing.table import Table


class Ssi(Format):
    """Each chunk stands at its ``from``."""

    title, suffixes = "SSI stream", (".stream",)

    def recognises(self, path: Path, table: Table | None) -> bool:
        """By the suffix."""
        return True

    def read(self, path: Path, table: Table | None, options: ReadOptions) -> FeatureFile:
        """Read all rows; those that the data file lacks are not valid."""
        with open_own(path) as stream:
            kept = [i for i, name in enumerate(stream.channels) if name not in options.drop]
            x, valid = stream.read(0, len(stream.t_s))
            notes = tuple(defect.detail for defect in stream.defects)
            channels = tuple(stream.channels[i] for i in kept)
            frame = np.arange(len(stream.t_s), dtype=np.float64)
            return FeatureFile(
                path, self.title, "", "other", channels, x[:, kept], valid, t_s=stream.t_s, frame=frame, notes=notes
            )
