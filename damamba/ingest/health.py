"""Check whether recordings can be used: media, sound, synchrony, labels and faces."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from damamba.console import InputError, progress
from damamba.corpus.agreement import read_label
from damamba.corpus.manifest import ReleasedStream, label_below
from damamba.corpus.manifest_csv import ManifestRow
from damamba.corpus.region import Region
from damamba.features.follow import SMALLEST
from damamba.features.landmarker import Landmarker
from damamba.features.reference import reference_look
from damamba.features.regions import Faces, find_faces, regions_text
from damamba.ingest.check import ends_that_differ
from damamba.ingest.own_streams import compare_ends
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
    streams: dict[str, float] = field(default_factory=dict)
    """End of each feature stream by its name, s."""
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
    ends_s: dict[str, float] = defaultdict(float)
    for health in healths:
        ends_s[health.row.session] = max([ends_s[health.row.session], *health.streams.values()])
    for health in healths:
        if health.row.label and health.streams:
            _checked(health, lambda h=health: _check_labels(h, root, ends_s[h.row.session], 0, slack_s))
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


def shared_out(row: ManifestRow, regions: Sequence[Region]) -> tuple[list[ManifestRow], list[str]]:
    """A row for each of several people in one video, from left to right, and notes on it.

    Args:
        row: Of the video.
        regions: Where each of them is.
    """
    rows = [
        replace(
            row,
            participant=f"{row.participant[:60]}-{k}",
            person=f"{row.person[:60]}-{k}",
            label="",
            region=str(region),
        )
        for k, region in enumerate(regions, 1)
    ]
    names = ", ".join(one.participant for one in rows)
    notes = [f"{row.name}: {len(rows)} people in {row.video}: {names}, from left to right, each with a region"]
    if row.label:
        notes.append(f"{row.name}: nothing says whose label {row.label} is; write it into the row of that person")
    return rows, notes


def examine_row(root: Path, row: ManifestRow, slack_s: float, landmarker: Path | None) -> Health:
    """Check the files of one row; errors are listed in `problems`, not raised."""
    health = Health(row)
    _checked(health, lambda: _check_streams(health, root, slack_s))
    if not row.video:
        return health
    for check in (_check_video, _check_audio):
        _checked(health, lambda check=check: check(health, root))
    if video := health.video:
        end_s, n_frames = video.end_s, video.n_frames
        if row.label and not health.streams:
            _checked(health, lambda: _check_labels(health, root, end_s, n_frames, slack_s))
        if landmarker:
            _checked(health, lambda: _check_faces(health, root, video, landmarker))
    return health


def _checked(health: Health, check: Callable[[], None]) -> None:
    """Run a check; what it raises is a problem of the row."""
    try:
        check()
    except InputError as error:
        if str(error) not in health.problems:  # picture and sound may be of one file
            health.problems.append(str(error))


def _check_streams(health: Health, root: Path, slack_s: float) -> None:
    streams = []
    for file in filter(None, health.row.streams.split(";")):
        path = root / file
        if not path.resolve().is_relative_to(root.resolve()):
            raise InputError(f"{path}: leads out of {root}; put the file inside or set corpus.folder.root")
        name = path.name.removesuffix(path.suffix).partition(".")[2]
        streams.append(ReleasedStream.own(name, path))
    health.streams = {stream.name: stream.end_s or 0.0 for stream in streams}
    compare_ends(health.row.name, streams, slack_s)


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


def _check_labels(health: Health, root: Path, end_s: float, n_frames: int, slack_s: float) -> None:
    read = read_label(label_below(root, health.row.label), end_s, slack_s, n_frames=n_frames)
    labels = read.labels
    health.notes += read.notes
    health.label_counts = read.counts
    health.labels, health.labelled = len(labels), float(labels.valid.mean())
    if not labels.valid.any():
        health.notes.append("no label is valid")
    elif labels.value[labels.valid].std() == 0:
        health.notes.append("the label never changes")


def _check_faces(health: Health, root: Path, video: Video, landmarker: Path) -> None:
    row = health.row
    region = Region.parse(row.region) if row.region else None
    if row.reference:
        reference_look(root / row.reference, Landmarker(landmarker))
    health.faces = faces = find_faces(_track(root, row.video, row.video_track), landmarker, region)
    if faces.regions and not row.reference:
        many = f"{root / row.video}: shows {len(faces.regions)} people" + (
            f" in the region {row.region}" * bool(region)
        )
        if faces.are_apart:
            what = f"a region: {regions_text(faces.regions)}"
        else:
            what = "a reference, a picture of their face: their places overlap"
        health.problems.append(f"{many}; write a row for each of them, with {what}")
    elif (seen := sum(map(bool, faces.counts))) * 2 < len(faces.counts):
        small = f"; the picture is only {video.height} px high" if video.height < SMALL_PX else ""
        where = " of the region" if region else ""
        health.notes.append(
            f"a face in {seen} of {len(faces.counts)} sampled frames{where}; visual cues are not valid without one, "
            f"which must take {SMALLEST:.0%} of the picture's longer side{small}"
        )
