"""A video's frames with the rows of its face track."""

from collections.abc import Iterator

from damamba.console import InputError
from damamba.features.extractor import ExtractorInput
from damamba.features.stepper import SeenFrame
from damamba.media.decode import read_frames
from damamba.streams.stored_face_track import StoredFaceTrack


def open_track(source: ExtractorInput) -> StoredFaceTrack:
    """Face track of a participant; use it as a context manager.

    Raises:
        InputError: The track is missing or damaged.
        ValueError: The cue has `reads: corpus`, so it has no face track.
    """
    if source.face_shard is None:
        raise ValueError("this extractor needs face tracks, but its cue has `reads: corpus`: set `reads: faces`")
    return StoredFaceTrack(source.face_shard, "dvc repro -f track_faces")


def tracked_frames(source: ExtractorInput, faces: StoredFaceTrack) -> Iterator[tuple[int, SeenFrame]]:
    """Yield (row of the track, frame with its face); those who watch see each frame first.

    Raises:
        InputError: Track and video do not have the same frames, or the video cannot be decoded.
    """
    k = -1
    for k, frame in enumerate(read_frames(source.video)):
        if k >= len(faces.t_s) or abs(faces.t_s[k] - frame.t_s) > 1e-6:
            break
        face = faces.face(k) if faces.valid[k] else None
        seen = SeenFrame(frame.t_s, frame.picture, face, float(faces.score[k]) if face else 0.0)
        for watcher in source.watchers:
            watcher.see(seen)
        yield k, seen
    else:
        if k + 1 == len(faces.t_s):
            for watcher in source.watchers:
                watcher.finish()
            return
    raise InputError(
        f"{source.video}: its face track ({len(faces.t_s)} rows) belongs to other frames from row {k} on; "
        "make the track again: dvc repro -f track_faces"
    )
