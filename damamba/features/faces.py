"""Face tracks: where the face is in every decoded frame, by MediaPipe's FaceLandmarker.

The landmarker runs in IMAGE mode, each frame by itself: VIDEO mode smooths, lags half a frame and gives different
numbers from run to run. A track is a feature stream like any other:
``data/faces/<corpus>/<session>/<participant>.parquet``.
"""

from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from damamba.config import FacesParams
from damamba.features.extractor import Extractor, ExtractorInput
from damamba.features.landmarker import SHA256, check_model, detect, open_landmarker
from damamba.media.decode import Frame, FrameReader
from damamba.streams.face_track import CHANNELS
from damamba.streams.spool import SpooledRows
from damamba.streams.stream import FeatureStream

STEP_PX = 1 / 16
"""Landmarks are rounded to this: far below the landmarker's own jitter, and files take half the space."""


class FaceTracker(Extractor[FacesParams]):
    """One row per decoded frame: box, head transform, 478 landmarks; not valid where the frame shows no face."""

    Params = FacesParams
    media = "video"

    @property
    def lookahead_s(self) -> float:
        """0: each frame by itself."""
        return 0.0

    def weights(self) -> list[Path]:
        """The landmarker's model file."""
        return [Path(self.params.model)]

    def load(self) -> None:
        """Check the model file; raises `InputError` where it is missing or not the pinned one."""
        check_model(Path(self.params.model))

    def extract(self, source: ExtractorInput) -> FeatureStream:
        """Track the face of one participant; without one, no row is valid and the stream's note has the remedy.

        Raises:
            InputError: The video cannot be decoded.
        """
        reader = FrameReader(source.video)
        times, scores = array("d"), array("f")
        values = SpooledRows(len(CHANNELS))
        for t_s, row, score in self._rows(reader):
            times.append(t_s)
            scores.append(score)
            values.append(row[None])
        score = np.array(scores, np.float32)
        valid = score > 0
        share = float(valid.mean())
        notes = [reader.note] if reader.note else []
        if share < self.params.min_found or not valid.any():
            notes.append(
                f"a face in {valid.sum()} of {len(valid)} frames ({share:.0%}), fewer than faces.min_found "
                f"({self.params.min_found:.0%}): no visual cue is valid; a face must take about a quarter of the "
                "picture's height: crop the video"
            )
            valid, score = np.zeros_like(valid), np.zeros_like(score)
            values.blank()
        return FeatureStream(
            t_s=np.array(times),
            x=values.rows(),
            valid=valid,
            score=score,
            rate_hz=source.participant.rate_hz,
            channels=CHANNELS,
            extractor="face_landmarker",
            checkpoint=Path(self.params.model).name,
            revision=SHA256[:12],
            note="; ".join(notes),
        )

    def _rows(self, frames: Iterable[Frame]) -> Iterator[tuple[float, np.ndarray, float]]:
        """(time, (D,) values, share of the landmarks inside the picture) of every frame."""
        nothing = np.full(len(CHANNELS), np.nan, np.float32)
        with open_landmarker(
            Path(self.params.model),
            1,
            min_face_detection_confidence=self.params.min_confidence,
            min_face_presence_confidence=self.params.min_confidence,
            output_facial_transformation_matrixes=True,
        ) as landmarker:
            for frame in frames:
                result = detect(landmarker, frame.image)
                if not result.face_landmarks:
                    yield frame.t_s, nothing, 0.0
                    continue
                height, width = frame.image.shape[:2]
                xy = np.array([(mark.x * width, mark.y * height) for mark in result.face_landmarks[0]])
                xy = np.round(xy / STEP_PX) * STEP_PX
                inside = float(((xy >= 0) & (xy < (width, height))).all(1).mean())
                if not inside:  # the model placed the face outside the picture
                    yield frame.t_s, nothing, 0.0
                    continue
                head = np.asarray(result.facial_transformation_matrixes[0])
                row = np.concatenate([xy.min(0), xy.max(0), head.ravel(), xy.ravel()]).astype(np.float32)
                yield frame.t_s, row, inside
