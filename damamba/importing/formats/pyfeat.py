"""py-feat: `Fex` as CSV. It numbers frames from 0 and has no exact times; a frame without a face has FaceScore NaN."""

from pathlib import Path

from damamba.importing.formats.base import TableFormat
from damamba.importing.table import Table


class PyFeat(TableFormat):
    """Face box (px), landmarks (px), pose (degrees), AUs and emotions in [0, 1]."""

    title, name, group = "py-feat", "pyfeat", "visual"
    confidence, face, frame = ("FaceScore",), ("Identity",), "frame"
    left_out = ("input", "approx_time", "unnamed 0", "Unnamed: 0", "FrameHeight", "FrameWidth")

    def recognises(self, path: Path, table: Table | None) -> bool:
        """By the columns of its face detector."""
        return table is not None and {"FaceRectX", "FaceScore"} <= set(table.names)
