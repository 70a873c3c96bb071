"""A video's frames beside the rows of its face track."""

from collections.abc import Iterator

from damamba.console import InputError
from damamba.features.extractor import Recording
from damamba.media.decode import Frame
from damamba.streams.face_track import FaceTrack


def tracked_frames(recording: Recording, faces: FaceTrack) -> Iterator[tuple[int, Frame]]:
    """Yield (row of the track, frame).

    Raises:
        InputError: Track and video are not of the same frames.
    """
    k = -1
    for k, frame in enumerate(recording.frames()):
        if k >= len(faces.t_s) or abs(faces.t_s[k] - frame.t_s) > 1e-6:
            break
        yield k, frame
    else:
        if k + 1 == len(faces.t_s):
            return
    raise InputError(
        f"{recording.video}: its face track is of other frames from row {k} on ({len(faces.t_s)} rows); "
        "make the track again: dvc repro -f track_faces"
    )
