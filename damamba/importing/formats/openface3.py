"""OpenFace 3: its tables have no success column, and gaze as yaw and pitch."""

from pathlib import Path

from damamba.importing.formats.base import TableFormat
from damamba.importing.table import Table


class OpenFace3(TableFormat):
    """Gaze (rad), 8 AUs and emotion scores of the multitask network."""

    title, name, group = "OpenFace 3", "openface3", "visual"
    confidence = ("confidence", "face_confidence", "detection_confidence", "face_detection", "face_score")
    success, face, frame = "success", ("face_id",), "frame"
    left_out = ("emotion", "emotion_label", "dominant_emotion", "file", "image", "image_path", "input")
    order = 1

    def recognises(self, path: Path, table: Table | None) -> bool:
        """By gaze and action units in its spelling."""
        names = {name.lower() for name in table.names} if table else set()
        return {"gaze_yaw", "gaze_pitch"} <= names and any(name.startswith("au") for name in names)
