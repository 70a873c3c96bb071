"""Whether recordings can be used: media, sound, sync, labels, faces; what must be mended and what is only told."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote

from damamba.console import InputError, progress
from damamba.corpus.agreement import read_label
from damamba.corpus.manifest import Row, below
from damamba.features.regions import Faces, find_faces
from damamba.media.decode import Audio, Video, probe_audio, probe_video
from damamba.text import MISSING, columns, duration

SYNC_S = 0.1
"""Sound and picture may begin this far apart without a remark."""
END_S = 0.5
SESSION_S = 1.0
"""Recordings of one session may differ in length by this without a remark."""
SMALL_PX = 200
"""Height of a picture in which a face is hardly large enough."""


@dataclass
class Health:
    """What was found out about one row."""

    row: Row
    video: Video | None = None
    audio: Audio | None = None
    labels: int | None = None
    """Label frames; None without a label file."""
    labelled: float = 0.0
    """Share of them that is annotated."""
    faces: Faces | None = None
    problems: list[str] = field(default_factory=list)
    """With these the pipeline refuses the row."""
    notes: list[str] = field(default_factory=list)


def examine(root: Path, rows: Sequence[Row], slack_s: float, landmarker: Path | None) -> list[Health]:
    """Look at every file of every row.

    Args:
        root: Directory of the recordings.
        rows: Of its manifest.
        slack_s: How much labels may be shorter or longer than their video.
        landmarker: Face landmarker's file; None: faces are not looked for.
    """
    found = [examine_row(root, row, slack_s, landmarker) for row in progress(rows, "inspect", unit="file")]
    sessions: dict[str, list[Health]] = defaultdict(list)
    for health in found:
        if health.video:
            sessions[health.row.session].append(health)
    for members in sessions.values():
        ends = [h.video.end_s for h in members if h.video]
        if max(ends) - min(ends) > SESSION_S:
            shown = ", ".join(f"{h.row.participant} {h.video.end_s:.1f} s" for h in members if h.video)
            members[0].notes.append(f"recordings of one session must begin together, yet their lengths differ: {shown}")
    return found


def examine_row(root: Path, row: Row, slack_s: float, landmarker: Path | None) -> Health:
    """Look at the files of one row; nothing is raised, what is wrong stands in `problems`."""
    health = Health(row)
    try:
        health.video = probe_video(root / row.video)
        health.audio = probe_audio(root / (row.audio or row.video))
    except InputError as error:
        health.problems.append(str(error))
    if health.video and health.audio:
        _sync(health, health.video, health.audio)
    if row.label and health.video:
        try:
            _labels(health, root, health.video, slack_s)
        except InputError as error:
            health.problems.append(str(error))
    if health.video and landmarker:
        _faces(health, root, health.video, landmarker)
    return health


def _sync(health: Health, video: Video, audio: Audio) -> None:
    late = audio.start_s - video.start_s
    if abs(late) > SYNC_S:
        health.notes.append(f"sound begins {abs(late):.2f} s {'after' if late > 0 else 'before'} the picture")
    longer = audio.end_s - video.end_s
    if abs(longer) > END_S:
        kind = "longer" if longer > 0 else "shorter"
        health.notes.append(f"sound is {abs(longer):.1f} s {kind} than the picture; were both started together?")


def _labels(health: Health, root: Path, video: Video, slack_s: float) -> None:
    labels = read_label(below(root, health.row.label), video.end_s, slack_s)
    health.labels, health.labelled = len(labels), float(labels.valid.mean())
    if not labels.valid.any():
        health.notes.append("not one label is valid")
    elif labels.value[labels.valid].std() == 0:
        health.notes.append("the label never changes")


def _faces(health: Health, root: Path, video: Video, landmarker: Path) -> None:
    health.faces = faces = find_faces(root / health.row.video, landmarker)
    if faces.regions:
        people = len(faces.regions)
        health.problems.append(
            f"{root / health.row.video}: shows {people} people; damamba reads one person a file: cut the regions below"
        )
    elif faces.counts and not any(faces.counts):
        small = f"; the picture is only {video.height} px high" if video.height < SMALL_PX else ""
        health.notes.append(f"no face in {len(faces.counts)} sampled frames; it must be about 100 px high{small}")


def table(found: Sequence[Health]) -> list[str]:
    """One line a participant."""
    return columns(
        ["participant", "split", "length", "picture", "Hz", "sound", "sync s", "labels", "faces", "state"],
        [_line(health) for health in found],
        left=2,
    )


def _line(health: Health) -> list[str]:
    video, audio, faces = health.video, health.audio, health.faces
    sound = f"{'file' if health.row.audio else 'track'} {audio.rate_hz / 1000:g} kHz" if audio else MISSING
    sync = f"{audio.end_s - video.end_s:+.2f}" if audio and video else MISSING
    seen = sum(count > 0 for count in faces.counts) if faces else 0
    return [
        health.row.name,
        health.row.split,
        duration(video.end_s) if video else MISSING,
        f"{video.width}x{video.height}" if video else MISSING,
        f"{video.rate_hz:.4g}" if video else MISSING,
        sound,
        sync,
        MISSING if health.labels is None else f"{health.labels} ({health.labelled:.0%})",
        f"{seen}/{len(faces.counts)}" if faces else MISSING,
        "PROBLEM" if health.problems else "look" if health.notes else "good",
    ]


def cuts(found: Sequence[Health], root: Path) -> list[str]:
    """Commands that cut a video of several people into one file each, in a folder named like the video."""
    lines = []
    for health in found:
        regions = health.faces.regions if health.faces else ()
        source = root / health.row.video
        folder = source.with_suffix("")
        lines += [f"mkdir -p {quote(str(folder))}"] if regions else []
        for k, region in enumerate(regions, 1):
            box = f"{region.width}:{region.height}:{region.left}:{region.top}"
            target = quote(str(folder / f"p{k}.mp4"))
            lines.append(f"ffmpeg -i {quote(str(source))} -vf crop={box} -c:a copy {target}")
    return lines
