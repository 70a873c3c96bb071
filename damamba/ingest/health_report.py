"""Findings about a folder of recordings as text: table, notes, commands that cut videos, next steps."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from damamba.ingest.health import Health
from damamba.text import MISSING, columns, duration, override, shell_path, some


def table(healths: Sequence[Health]) -> list[str]:
    """One line a participant."""
    header = ["participant", "split", "length", "picture", "Hz", "sound", "sync s", "labels", "faces", "state"]
    rows = [_cells(health) for health in healths]
    if any(health.streams for health in healths):
        header.insert(3, "streams")
        for row, health in zip(rows, healths, strict=True):
            row.insert(3, ", ".join(health.streams) or MISSING)
    return columns(header, rows, left=2)


def _cells(health: Health) -> list[str]:
    video, audio, faces = health.video, health.audio, health.faces
    sound = f"{'file' if health.row.audio else 'track'} {audio.rate_hz / 1000:g} kHz" if audio else MISSING
    sync = f"{audio.end_s - video.end_s:+.2f}" if audio and video else MISSING
    n_with_face = sum(count > 0 for count in faces.counts) if faces else 0
    return [
        health.row.name,
        health.row.split,
        duration(_end_s(health)) if video or health.streams else MISSING,
        f"{video.width}x{video.height}" if video else MISSING,
        f"{video.rate_hz:.4g}" if video else MISSING,
        sound,
        sync,
        _label_cell(health),
        f"{n_with_face}/{len(faces.counts)}" if faces else MISSING,
        "PROBLEM" if health.problems else "look" if health.notes else "good",
    ]


def _end_s(health: Health) -> float:
    """End of the recording, s."""
    return health.video.end_s if health.video else max(health.streams.values(), default=0.0)


def _label_cell(health: Health) -> str:
    """Values in the label files beside the expected number, and the share that is annotated."""
    if health.labels is None:
        return MISSING
    counts = "+".join(str(count) for count in sorted(set(health.label_counts)))
    return f"{counts and counts + '/'}{health.labels} ({health.labelled:.0%})"


def notes(healths: Sequence[Health], no_landmarker: bool) -> list[str]:
    """Everything that is odd, a line each; an empty line after them if there are any.

    Args:
        healths: Of all rows.
        no_landmarker: Whether faces were not looked for because the landmarker is missing.
    """
    lines = [f"note: {health.row.name}: {note}" for health in healths for note in health.notes]
    if no_landmarker:
        lines.append("note: faces were not looked for: the landmarker is missing (dvc repro landmarker)")
    sessions = Counter(health.row.session for health in healths)
    alone = [session for session, n in sessions.items() if n == 1]
    if alone:
        lines.append(f"note: sessions with one participant, in which the model sees no partner: {some(alone)}")
    splits = Counter(health.row.split for health in healths)
    if empty := [split for split in ("train", "val", "test") if not splits[split]]:
        lines.append(
            f"note: no session is in the split {' or '.join(empty)}; each split needs sessions with other people, "
            "because no person may be in two splits"
        )
    labelled = {health.row.split for health in healths if health.labels is not None}
    if splits["val"] and labelled and "val" not in labelled:
        lines.append(
            "note: no session of the split val has labels, so training keeps the weights after its last step; "
            "annotate one, or give a session with labels the split val"
        )
    return [*lines, ""] if lines else []


def totals(healths: Sequence[Health]) -> str:
    """One line of numbers."""
    seconds = sum(map(_end_s, healths))
    what = "video" if any(health.video for health in healths) else "streams"
    sessions = len({health.row.session for health in healths})
    persons = len({health.row.person for health in healths})
    labelled = sum(health.labels is not None for health in healths)
    return (
        f"{sessions} sessions, {len(healths)} participants ({labelled} labelled), {persons} persons, "
        f"{duration(seconds)} of {what}"
    )


def next_steps(root: Path, healths: Sequence[Health], configured: bool) -> list[str]:
    """The commands that follow; `configured`, if params.yaml reads these recordings already."""
    labelled = {health.row.split for health in healths if health.labels is not None}
    if not {"train", "test"} <= labelled:
        where = " and ".join(split for split in ("train", "test") if split not in labelled)
        return [
            f"Labels are needed in the split {where} before a model can be trained and scored: one number in [0, 1] a "
            "line, 25 a second, in a .csv named like the video (docs/your-data.md). Add them, then:",
            f"    damamba init {shell_path(str(root))}",
        ]
    run = f"    dvc exp run -S 'corpus.sources=[folder]' -S {override('corpus.folder.root', str(root))}"
    if configured:
        run = "    dvc repro"
    if not any(health.video for health in healths):
        return ["Next, with the cues that damamba import wrote into params.yaml:", "    damamba plan", run]
    return [
        "Next (published encoders, for real people; without a model hub `damamba preset real`):",
        "    damamba preset upstream",
        run,
    ]
