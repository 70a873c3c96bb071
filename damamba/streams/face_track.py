"""Face tracks: the columns of the stream that the stage ``track_faces`` writes, by name."""

from dataclasses import dataclass

import numpy as np

from damamba.streams.stream import FeatureStream

N_LANDMARKS = 478
SHAPES = (
    "neutral",
    *("brow_down_left", "brow_down_right", "brow_inner_up", "brow_outer_up_left", "brow_outer_up_right"),
    *("cheek_puff", "cheek_squint_left", "cheek_squint_right"),
    *("eye_blink_left", "eye_blink_right", "eye_look_down_left", "eye_look_down_right", "eye_look_in_left"),
    *("eye_look_in_right", "eye_look_out_left", "eye_look_out_right", "eye_look_up_left", "eye_look_up_right"),
    *("eye_squint_left", "eye_squint_right", "eye_wide_left", "eye_wide_right"),
    *("jaw_forward", "jaw_left", "jaw_open", "jaw_right"),
    *("mouth_close", "mouth_dimple_left", "mouth_dimple_right", "mouth_frown_left", "mouth_frown_right"),
    *("mouth_funnel", "mouth_left", "mouth_lower_down_left", "mouth_lower_down_right", "mouth_press_left"),
    *("mouth_press_right", "mouth_pucker", "mouth_right", "mouth_roll_lower", "mouth_roll_upper"),
    *("mouth_shrug_lower", "mouth_shrug_upper", "mouth_smile_left", "mouth_smile_right", "mouth_stretch_left"),
    *("mouth_stretch_right", "mouth_upper_up_left", "mouth_upper_up_right", "nose_sneer_left", "nose_sneer_right"),
)
"""Blendshapes of the landmarker, in its order."""
CHANNELS = (
    *(f"box_{side}_px" for side in ("left", "top", "right", "bottom")),
    *(f"head_{row}{column}" for row in range(4) for column in range(4)),
    *SHAPES,
    *(f"landmark_{i}_{axis}_px" for i in range(N_LANDMARKS) for axis in "xy"),
)
HEAD_AT, SHAPES_AT, LANDMARKS_AT = 4, 20, 20 + len(SHAPES)
"""Column of the first value of each."""


@dataclass(frozen=True)
class FaceTrack:
    """The face in a video, one row per decoded frame; NaN where `valid` is False."""

    t_s: np.ndarray
    """(N,) s."""
    valid: np.ndarray
    """(N,) bool."""
    score: np.ndarray
    """(N,) share of the landmarks that are inside the picture."""
    box_px: np.ndarray
    """(N, 4) left, top, right, bottom."""
    head: np.ndarray
    """(N, 4, 4) from the canonical face to the camera, cm."""
    shapes: np.ndarray
    """(N, 52) scores of the blendshapes, `SHAPES`."""
    landmarks_px: np.ndarray
    """(N, 478, 2) x to the right, y down."""
    key: str
    """Key of the stream that it was read from."""

    @classmethod
    def of(cls, stream: FeatureStream) -> "FaceTrack":
        """Name the columns of a stream."""
        n = len(stream.t_s)
        box, head, shapes, landmarks = np.split(np.asarray(stream.x), [HEAD_AT, SHAPES_AT, LANDMARKS_AT], axis=1)
        return cls(
            stream.t_s,
            stream.valid,
            stream.score,
            box,
            head.reshape(n, 4, 4),
            shapes,
            landmarks.reshape(n, N_LANDMARKS, 2),
            stream.key,
        )

    @property
    def size_px(self) -> np.ndarray:
        """(N,) distance from forehead to chin, px: the unit of all motion on a face."""
        return np.linalg.norm(self.landmarks_px[:, 10] - self.landmarks_px[:, 152], axis=1)
