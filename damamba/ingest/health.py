"""Check whether recordings can be used: media, sound, synchrony, labels and faces."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from damamba.console import InputError, progress
from damamba.corpus.agreement import read_label
from damamba.corpus.manifest import label_below
from damamba.corpus.manifest_csv import ManifestRow
from damamba.features.regions import Faces, find_faces
from damamba.ingest.check import ends_that_differ
from damamba.media.guarded import guarded
from damamba.media.probe import Video, has_sound, probe_audio, probe_video
from damamba.media.sound import SoundSurvey
from damamba.media.track import MediaTrack, number

SESSION_S = 1.0
"""Recordings of one session may differ in length by this without a note."""
SMALL_PX = 200
"""In a picture of this height a face is hardly large enough."""


@dataclass
class Health:
    """Measurements of one row's files, and everything that is wrong with them."""

    row: ManifestRow
    video: Video | None = None
    audio: SoundSurvey | None = None
    """None without sound."""
    labels: int | None = None
    """Label frames; None without a label file."""
    label_counts: tuple[int, ...] = ()
    """Values in each label file that has one for every moment."""
    labelled: float = 0.0
    """Share of them that is annotated."""
    faces: Faces | None = None
    problems: list[str] = field(default_factory=list)
    """Reasons for which the pipeline would refuse the row."""
    notes: list[str] = field(default_factory=list)
    """Oddities with which the row can be used."""


def examine(root: Path, rows: Sequence[ManifestRow], slack_s: float, landmarker: Path | None) -> list[Health]:
    """Check every file of every row.

    Args:
        root: Folder of the recordings.
        rows: Rows of its manifest.
        slack_s: How much labels may be shorter or longer than their video, s.
        landmarker: File of the face landmarker; None: faces are not looked for.
    """
    healths = [examine_row(root, row, slack_s, landmarker) for row in progress(rows, "inspect", unit="file")]
    sessions: dict[str, list[Health]] = defaultdict(list)
    for health in healths:
        if health.video:
            sessions[health.row.session].append(health)
    for members in sessions.values():
        ends = [h.video.end_s for h in members if h.video]
        if max(ends) - min(ends) > SESSION_S:
            shown = ", ".join(f"{h.row.participant} {h.video.end_s:.1f} s" for h in members if h.video)
            members[0].notes.append(
                f"recordings of one session must begin at the same moment, but their lengths differ: {shown}"
            )
    return healths


def examine_row(root: Path, row: ManifestRow, slack_s: float, landmarker: Path | None) -> Health:
    """Check the files of one row; errors are listed in `problems`, not raised."""
    health = Health(row)
    if not row.video:
        return health  # released streams, which ingest checks
    for check in (_check_video, _check_audio):
        try:
            check(health, root)
        except InputError as error:
            health.problems.append(str(error))
    if row.label and health.video:
        try:
            _check_labels(health, root, health.video, slack_s)
        except InputError as error:
            health.problems.append(str(error))
    if health.video and landmarker:
        try:
            _check_faces(health, root, health.video, landmarker)
        except InputError as error:
            health.problems.append(str(error))
    return health


def _track(root: Path, file: str, track: str, channel: str = "") -> MediaTrack:
    """A file of the manifest; raises `InputError` where a link leads out of the folder, which `ingest` refuses."""
    path = root / file
    if not path.resolve().is_relative_to(root.resolve()):
        raise InputError(f"{path}: leads out of {root}; put the file inside or set corpus.folder.root")
    return MediaTrack(path, number(track), number(channel))


def _check_video(health: Health, root: Path) -> None:
    health.video = guarded(probe_video, _track(root, health.row.video, health.row.video_track))
    health.notes += health.video.notes


def _check_audio(health: Health, root: Path) -> None:
    row = health.row
    track = _track(root, row.audio or row.video, row.audio_track, row.audio_channel)
    if not row.audio and not guarded(has_sound, track.path):
        health.notes.append(
            "no sound: the video has no sound track and there is no sound file; audio cues are left out"
        )
        return
    sound = guarded(probe_audio, track)
    health.notes += sound.notes
    if not sound.silent:
        health.audio = sound
        health.notes += ends_that_differ(health.video, sound)


def _check_labels(health: Health, root: Path, video: Video, slack_s: float) -> None:
    read = read_label(label_below(root, health.row.label), video.end_s, slack_s, n_frames=video.n_frames)
    labels = read.labels
    health.notes += read.notes
    health.label_counts = read.counts
    health.labels, health.labelled = len(labels), float(labels.valid.mean())
    if not labels.valid.any():
        health.notes.append("no label is valid")
    elif labels.value[labels.valid].std() == 0:
        health.notes.append("the label never changes")


def _check_faces(health: Health, root: Path, video: Video, landmarker: Path) -> None:
    health.faces = faces = find_faces(_track(root, health.row.video, health.row.video_track), landmarker)
    if faces.regions:
        people = len(faces.regions)
        health.problems.append(
            f"{root / health.row.video}: shows {people} people; damamba needs one file a person: cut the regions above"
        )
    elif faces.counts and not any(faces.counts):
        small = f"; the picture is only {video.height} px high" if video.height < SMALL_PX else ""
        health.notes.append(
            f"no face in {len(faces.counts)} sampled frames, so visual cues may not be valid; a face must take about a "
            f"quarter of the picture's height{small}"
        )
