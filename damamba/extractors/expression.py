"""Cue expression: what a face shows in each frame, as the landmarker's own models read it.

Stream: (N, 57) float32, one row a frame at its own time: the 52 blendshape scores in [0, 1], whose model was trained on
real faces; gaze in the head; and where the head is turned. No picture is decoded, since all of it is in the face track.
Where the head is in the picture is left out: that is mostly where the camera stands.

Source:
    Blendshapes of MediaPipe's FaceLandmarker (model card "MediaPipe Blendshape V2", 2022).
"""

import numpy as np

from damamba.config import Section
from damamba.features.extractor import Extractor, ExtractorInput
from damamba.features.stepper import PictureStepper, Rows, SeenFrame
from damamba.features.tracked_frames import open_track
from damamba.streams.face_track import SHAPES
from damamba.streams.stored_face_track import TrackedFace
from damamba.streams.stream import FeatureStream

GAZE = ("gaze_right", "gaze_up")
"""Differences of the blendshapes about where the eyes look, means of both eyes; right is the person's left."""
POSE = ("yaw_rad", "pitch_rad", "roll_rad")
"""Of the head to the camera: turned to the viewer's right, lifted, tilted to the viewer's right."""
CHANNELS = (*SHAPES, *GAZE, *POSE)


class ExpressionParams(Section):
    """The cue has no keys of its own."""


class Expression(Extractor[ExpressionParams]):
    """Blendshapes, gaze and head pose of the face track."""

    Params = ExpressionParams
    media = "video"
    needs_faces = True

    @property
    def lookahead_s(self) -> float:
        """0: a frame by itself."""
        return 0.0

    def extract(self, source: ExtractorInput) -> FeatureStream:
        """Rows of the face track, whose frames are those of the video; raises `InputError` where it is missing."""
        with open_track(source) as faces:
            x = np.full((len(faces.t_s), len(CHANNELS)), np.nan, np.float32)
            for k in np.flatnonzero(faces.valid):
                x[k] = row(faces.face(int(k)))
            return FeatureStream(
                t_s=faces.t_s,
                x=x,
                valid=faces.valid,
                score=faces.score,
                rate_hz=source.participant.rate_hz,
                channels=CHANNELS,
                extractor="expression",
            )

    def picture_stepper(self) -> PictureStepper:
        """Each frame by itself."""
        return _Expressions()


class _Expressions(PictureStepper):
    width = len(CHANNELS)

    def see(self, frame: SeenFrame) -> Rows:
        return Rows.one(frame.t_s, row(frame.face) if frame.face else None, frame.score, self.width)


def row(face: TrackedFace) -> np.ndarray:
    """(57,) of a face."""
    return np.concatenate([face.shapes, gaze(face.shapes), pose(face.head)])


def gaze(shapes: np.ndarray) -> np.ndarray:
    """(2,) to the viewer's right and up, of (52,) blendshapes."""
    of = dict(zip(SHAPES, shapes, strict=True))
    left = of["eye_look_out_left"] - of["eye_look_in_left"]
    right = of["eye_look_in_right"] - of["eye_look_out_right"]
    up = sum(of[f"eye_look_up_{side}"] - of[f"eye_look_down_{side}"] for side in ("left", "right"))
    return np.array([(left + right) / 2, up / 2])


def pose(head: np.ndarray) -> np.ndarray:
    """(3,) angles, as in `POSE`, of a (4, 4) transform from the canonical face to the camera.

    Angles are those of turning about the vertical axis first, then about the axis through the ears, then in the
    picture.
    """
    turn = head[:3, :3] / np.linalg.norm(head[:3, :3], axis=0)
    yaw = np.arctan2(turn[0, 2], turn[2, 2])
    pitch = np.arcsin(np.clip(turn[1, 2], -1, 1))
    roll = -np.arctan2(turn[1, 0], turn[1, 1])
    return np.array([yaw, pitch, roll])
