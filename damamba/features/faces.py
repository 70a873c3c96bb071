"""Face tracks: where the face is in every decoded frame, by MediaPipe's FaceLandmarker.

IMAGE mode: each frame by itself. VIDEO mode smooths and lags half a frame, and gives other numbers from run to run.
A track is a feature stream like any other: ``data/faces/<corpus>/<session>/<participant>.parquet``.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from damamba.config import FacesParams
from damamba.console import InputError
from damamba.features.extractor import Extractor, Recording
from damamba.features.landmarker import SHA256, check_model
from damamba.streams.face_track import CHANNELS
from damamba.streams.stream import FeatureStream

STEP_PX = 1 / 16
"""Landmarks are rounded to this: far below the landmarker's own jitter, and the files shrink by half."""


@contextmanager
def _quiet() -> Iterator[None]:
    """Native libraries write remarks about their own start to stderr, past Python's logging; a failure still raises."""
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123 (a device)
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


class FaceTracker(Extractor[FacesParams]):
    """One row a decoded frame: box, head transform, 478 landmarks; invalid where no face was found."""

    Params = FacesParams
    media = "video"

    def weights(self) -> list[Path]:
        """The landmarker's model file."""
        return [Path(self.params.model)]

    def load(self) -> None:
        """Check the model file; raises `InputError` where it is missing or not the pinned one."""
        check_model(Path(self.params.model))

    def _open(self, stack: ExitStack) -> Any:
        from mediapipe.tasks.python import BaseOptions, vision

        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=self.params.model),
            running_mode=vision.RunningMode.IMAGE,
            num_faces=1,
            min_face_detection_confidence=self.params.min_confidence,
            min_face_presence_confidence=self.params.min_confidence,
            output_facial_transformation_matrixes=True,
        )
        with _quiet():
            return stack.enter_context(vision.FaceLandmarker.create_from_options(options))

    def extract(self, recording: Recording) -> FeatureStream:
        """Track the face of one participant.

        Raises:
            InputError: The video cannot be decoded, or shows a face in too few frames.
        """
        with ExitStack() as stack:
            rows = list(self._rows(recording, self._open(stack)))
        times, values, scores = zip(*rows, strict=True)
        score = np.array(scores, np.float32)
        valid = score > 0
        found = float(valid.mean())
        if found < self.params.min_found or not valid.any():
            raise InputError(
                f"{recording.video}: a face in {valid.sum()} of {len(valid)} frames ({found:.0%}), fewer than "
                f"faces.min_found ({self.params.min_found:.0%}); the face must be about 100 px high or more: "
                "crop or enlarge the video, or remove its row from the manifest"
            )
        return FeatureStream(
            t_s=np.array(times),
            x=np.stack(values),
            valid=valid,
            score=score,
            rate_hz=recording.participant.rate_hz,
            channels=CHANNELS,
            extractor="face_landmarker",
            checkpoint=Path(self.params.model).name,
            revision=SHA256[:12],
        )

    def _rows(self, recording: Recording, landmarker: Any) -> Iterator[tuple[float, np.ndarray, float]]:
        import mediapipe

        nothing = np.full(len(CHANNELS), np.nan, np.float32)
        for frame in recording.frames():
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(frame.image))
            result = landmarker.detect(image)
            if not result.face_landmarks:
                yield frame.t_s, nothing, 0.0
                continue
            height, width = frame.image.shape[:2]
            xy = np.array([(mark.x * width, mark.y * height) for mark in result.face_landmarks[0]])
            xy = np.round(xy / STEP_PX) * STEP_PX
            inside = float(((xy >= 0) & (xy < (width, height))).all(1).mean())
            if not inside:  # the model drew a face beyond the edge
                yield frame.t_s, nothing, 0.0
                continue
            head = np.asarray(result.facial_transformation_matrixes[0])
            row = np.concatenate([xy.min(0), xy.max(0), head.ravel(), xy.ravel()]).astype(np.float32)
            yield frame.t_s, row, inside
