"""What stands between a plan and its start: checkpoints with their licences, the landmarker, disk, labels."""

from pathlib import Path

from damamba.config import CueParams, Params
from damamba.console import InputError
from damamba.encoders.checkpoint import COMPACT, local_folder
from damamba.encoders.licences import licence_of
from damamba.features.faces import check_model
from damamba.planning.workload import Workload
from damamba.text import size

HUB_REPOSITORIES = {("ViT-B-32", "laion2b_s34b_b79k"): "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"}
"""Where open_clip finds weights that it knows by a name and a tag."""
WITHOUT_WEIGHTS = {
    "flow": "none needed (OpenCV)",
    "official": "of the release: see its agreement",
    "egemaps": "openSMILE: research only, no commercial use",
}
FREE_SHARE = 0.95


def licences(params: Params) -> list[dict[str, str]]:
    """A row a checkpoint, or an extractor without one: name, cues that use it, licence."""
    rows: dict[str, dict[str, str]] = {}
    for name, cue in params.cues.items():
        checkpoint = _checkpoint(cue)
        shown = checkpoint or f"extractor {cue.extractor}"
        licence = _licence(checkpoint) if checkpoint else WITHOUT_WEIGHTS.get(cue.extractor, "no weights")
        row = rows.setdefault(shown, {"checkpoint": shown, "cues": "", "licence": licence})
        row["cues"] = ", ".join(filter(None, (row["cues"], name)))
    if any(cue.reads == "faces" for cue in params.cues.values()):
        rows["faces"] = {"checkpoint": params.faces.model, "cues": "face tracks", "licence": "Apache-2.0 (MediaPipe)"}
    return list(rows.values())


def missing(params: Params, work: Workload, more_bytes: float, free_bytes: float) -> list[str]:
    """What must be had before the work, a line each, with the command that gets it.

    Args:
        params: Of the pipeline.
        work: What is to be done.
        more_bytes: To be written.
        free_bytes: Of the disk.
    """
    lines = []
    if any(cue.reads == "faces" for cue in params.cues.values()) and work.filmed.seats:
        try:
            check_model(Path(params.faces.model))
        except InputError as error:
            lines.append(str(error))
    lines += [line for name, cue in params.cues.items() for line in _missing_checkpoint(name, cue)]
    if more_bytes > FREE_SHARE * free_bytes:
        lines.append(f"disk: {size(more_bytes)} more are needed, {size(free_bytes)} are free; free some, or plan less")
    for split in ("train", params.evaluate.split):
        if not any(seat.split == split and seat.labelled for seat in work.seats):
            lines.append(f"labels in the split {split}: nobody has any; see the manifest's columns split and label")
    return lines


def _checkpoint(cue: CueParams) -> str:
    return str(cue.settings().get("checkpoint") or "")


def _licence(checkpoint: str) -> str:
    try:
        return licence_of(checkpoint, local_folder(checkpoint))
    except InputError:
        return "unknown: no such folder"


def _missing_checkpoint(name: str, cue: CueParams) -> list[str]:
    """Nothing where the weights are on this machine."""
    checkpoint = _checkpoint(cue)
    if not checkpoint:
        return []
    try:
        if local_folder(checkpoint):
            return []
    except InputError as error:
        return [f"cue {name}: {error}"]
    tag = str(cue.settings().get("pretrained") or "")
    repository = HUB_REPOSITORIES.get((checkpoint, tag), checkpoint.removeprefix("hf-hub:"))
    if "/" not in repository:
        return [f"cue {name}: {checkpoint} ({tag}) is fetched on the first run, which needs a network; or {COMPACT}"]
    return [] if _cached(repository) else [f"cue {name}: {repository}; get it: hf download {repository}; or {COMPACT}"]


def _cached(repository: str) -> bool:
    """Whether the hub's cache on this machine has any revision of it."""
    from huggingface_hub.constants import HF_HUB_CACHE

    snapshots = Path(HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}" / "snapshots"
    return snapshots.is_dir() and any(snapshots.iterdir())
