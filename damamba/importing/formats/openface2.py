"""OpenFace 2: FaceLandmarkVid, FaceLandmarkVidMulti and FeatureExtraction (wiki page Output-Format)."""

from pathlib import Path

from damamba.importing.formats.base import TableFormat
from damamba.importing.table import Table


class OpenFace2(TableFormat):
    """Gaze in rad and unit vectors, pose in mm and rad, landmarks in px and mm, intensity (0-5) and presence of AUs."""

    title, name, group = "OpenFace 2", "openface2", "visual"
    confidence, success, face, frame, first_frame = ("confidence",), "success", ("face_id",), "frame", 1

    def recognises(self, path: Path, table: Table | None) -> bool:
        """By the columns that all of its outputs have."""
        return table is not None and {"frame", "timestamp", "confidence", "success"} <= set(table.names)
