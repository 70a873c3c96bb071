"""Licences of the checkpoints, and what is missing before a run: checkpoints, the landmarker, disk space, labels."""

from collections.abc import Mapping
from pathlib import Path

from damamba.config import CueParams, EvaluateParams, FacesParams
from damamba.console import InputError
from damamba.encoders.checkpoint import COMPACT, download_of, local_folder
from damamba.encoders.hub import cached, repository_of
from damamba.encoders.licences import LICENCES, licence_of
from damamba.features.landmarker_file import check_model
from damamba.planning.disk import reads_faces
from damamba.planning.workload import Workload
from damamba.text import size

NO_CHECKPOINT = {
    "flow": "none needed (OpenCV)",
    "expression": "that of the face landmarker",
    "official": "that of the release: see its agreement",
    "stream": "that of your own streams",
    "egemaps": "openSMILE: research only, no commercial use",
}
FREE_SHARE = 0.95
"""Largest share of the free space that a run may take."""


def licences(cues: Mapping[str, CueParams], faces: FacesParams) -> list[dict[str, str]]:
    """One row per checkpoint, or per extractor without one: name, cues that use it, licence."""
    rows: dict[str, dict[str, str]] = {}
    for name, cue in cues.items():
        checkpoint = _checkpoint(cue)
        shown = checkpoint or f"extractor {cue.extractor}"
        licence = _licence(checkpoint) if checkpoint else NO_CHECKPOINT.get(cue.extractor, "no weights")
        row = rows.setdefault(shown, {"checkpoint": shown, "cues": "", "licence": licence})
        row["cues"] = ", ".join(filter(None, (row["cues"], name)))
    if reads_faces(cues):
        rows["faces"] = {"checkpoint": faces.model, "cues": "face tracks", "licence": "Apache-2.0 (MediaPipe)"}
    return list(rows.values())


def missing(
    cues: Mapping[str, CueParams],
    faces: FacesParams,
    evaluate: EvaluateParams,
    work: Workload,
    more_bytes: float,
    free_bytes: float,
) -> list[str]:
    """What a run lacks, one line each, with the command that provides it.

    Args:
        cues, faces, evaluate: Sections of params.yaml.
        work: Sessions to process.
        more_bytes: Bytes that the run will add to the disk.
        free_bytes: Bytes that are free on it.
    """
    lines = []
    if reads_faces(cues) and work.filmed.seats:
        try:
            check_model(Path(faces.model))
        except InputError as error:
            lines.append(str(error))
    lines += [line for name, cue in cues.items() for line in _missing_checkpoint(name, cue)]
    if more_bytes > FREE_SHARE * free_bytes:
        lines.append(
            f"disk: {size(more_bytes)} more are needed, {size(free_bytes)} are free; free some space, or process less"
        )
    for split in ("train", evaluate.split):
        if not any(seat.split == split and seat.labelled for seat in work.seats):
            lines.append(
                f"labels in the split {split}: no participant has any; see the manifest's columns split and label"
            )
    return lines


def _checkpoint(cue: CueParams) -> str:
    return str(cue.settings().get("checkpoint") or "")


def _licence(checkpoint: str) -> str:
    try:
        return licence_of(checkpoint, local_folder(checkpoint))
    except InputError:
        return LICENCES.get(checkpoint, "unknown: no such folder")


def _missing_checkpoint(name: str, cue: CueParams) -> list[str]:
    """A line where the weights of a cue are not on this machine."""
    checkpoint = _checkpoint(cue)
    if not checkpoint:
        return []
    try:
        if local_folder(checkpoint):
            return []
    except InputError as error:
        return [f"cue {name}: {error}"]
    settings = cue.settings()
    repository, revision = repository_of(checkpoint), settings.get("revision")
    if repository is None:
        tag = settings.get("pretrained")
        return [f"cue {name}: {checkpoint} ({tag}) is downloaded by the first run, over a network; or use {COMPACT}"]
    if cached(checkpoint, revision):
        return []
    at = f" at revision {revision}" if revision else ""
    command = download_of(checkpoint, revision)
    return [f"cue {name}: {repository} is not on this machine{at}; download it: {command}; or use {COMPACT}"]
