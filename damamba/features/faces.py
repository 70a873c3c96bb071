"""Face tracks: where one person's face is in every decoded frame, by MediaPipe's FaceLandmarker.

The landmarker reads the face where it was in the frame before (`damamba.features.follow`), and nothing is smoothed:
the VIDEO mode of MediaPipe's own library lags half a frame and gives different numbers from run to run. A track is a
feature stream like any other: ``data/faces/<corpus>/<session>/<participant>.parquet``.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from damamba.config import FacesParams
from damamba.corpus.manifest import Participant
from damamba.features.extractor import Extractor, ExtractorInput
from damamba.features.follow import SMALLEST, Counts, FaceFollower
from damamba.features.landmarker import Landmarker
from damamba.features.landmarker_file import SHA256, check_model
from damamba.features.reference import meant_of
from damamba.media.decode import Frame, FrameReader
from damamba.spool import SpooledRows
from damamba.streams.face_track import CHANNELS
from damamba.streams.stream import FeatureStream

STEP_PX = 1 / 16
"""Landmarks are rounded to this: far below the landmarker's own jitter, and files take half the space."""


class FaceTracker(Extractor[FacesParams]):
    """One row per decoded frame: box, head, blendshapes, 478 landmarks; not valid where the person is not seen."""

    Params = FacesParams
    media = "video"

    def input_key(self, participant: Participant) -> str:
        """Hash of the video, with the region and the picture that choose a person in it."""
        who = [part for part in (participant.region, participant.reference_sha256) if part]
        return "|".join([super().input_key(participant), *who])

    @property
    def lookahead_s(self) -> float:
        """0: a frame depends on the frames before it alone."""
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
            InputError: The video cannot be decoded, or the picture of the person shows no face or several.
        """
        reader = FrameReader(source.video)
        times, scores = array("d"), array("f")
        values = SpooledRows(len(CHANNELS))
        counts = Counts()
        for t_s, row, score in self._rows(reader, counts, source.participant):
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
                f"({self.params.min_found:.0%}): no visual cue is valid; a face must take {SMALLEST:.0%} of the "
                "picture's longer side: crop the video"
            )
            valid, score = np.zeros_like(valid), np.zeros_like(score)
            values.blank()
        elif counts.with_others:
            who = _followed(source.participant)
            notes.append(
                f"other people in {counts.with_others} of {counts.looks} looks at the whole picture: {who} is followed"
            )
        if counts.jumps:
            notes.append(
                f"the face is taken up again in another place {counts.jumps} times: see whether it is one person"
            )
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

    def _rows(
        self, frames: Iterable[Frame], counts: Counts, participant: Participant
    ) -> Iterator[tuple[float, np.ndarray, float]]:
        """(time, (D,) values, share of the landmarks inside the picture) of every frame."""
        follow = self.following(counts, participant)
        for frame in frames:
            yield frame.t_s, *follow(frame)

    def following(
        self, counts: Counts, participant: Participant | None = None
    ) -> Callable[[Frame], tuple[np.ndarray, float]]:
        """A function of one frame after the other: (D,) float32 row and share of the landmarks inside the picture.

        Args:
            counts: Of what is seen besides the person, to be added to.
            participant: The person to follow, by region and reference; None: the largest face at the beginning.
        """
        landmarker = Landmarker(Path(self.params.model), self.params.min_confidence)
        meant = meant_of(participant, landmarker) if participant else None
        follower = FaceFollower(landmarker, counts, meant)

        def follow(frame: Frame) -> tuple[np.ndarray, float]:
            face = follower.next(frame.picture, frame.t_s)
            if face is None:
                return np.full(len(CHANNELS), np.nan, np.float32), 0.0
            xy = np.round(face.landmarks_px / STEP_PX) * STEP_PX
            inside = float(((xy >= 0) & (xy < frame.picture.shape[1::-1])).all(1).mean())
            row = np.concatenate([xy.min(0), xy.max(0), face.head.ravel(), face.shapes, xy.ravel()])
            return row.astype(np.float32), inside

        return follow


def _followed(participant: Participant) -> str:
    """The person that is followed, for a note."""
    if not participant.region and not participant.reference:
        return "the largest face of the beginning"
    where = ["in the region"] * bool(participant.region) + ["of the reference"] * bool(participant.reference)
    return f"the person {' and '.join(where)}"
