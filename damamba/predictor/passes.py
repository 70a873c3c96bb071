"""The first passes of the pipeline over some videos: check them, find faces, compute cues."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from damamba import plugins
from damamba.config import EXTRACTORS, CueParams, ExtractParams, FacesParams, ProtocolParams, parse_section
from damamba.corpus.manifest import Manifest
from damamba.executor import run_all
from damamba.features.extract import extract_manifest
from damamba.features.extractor import Extractor
from damamba.features.faces import FaceTracker
from damamba.features.landmarker_download import fetch_model
from damamba.ingest.run import ingest_sources
from damamba.predictor.videos import Conversation, VideoSource

LANDMARKER = Path("~/.cache/damamba/face_landmarker.task")
PROTOCOL = ProtocolParams(adapt=(), folds=0, fold=0)
Run = Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]]


def in_workers(loop: ExtractParams, what: str) -> Run:
    """Applies a function to tasks, with a progress bar of this name."""
    return lambda function, tasks: run_all(function, tasks, loop.jobs, loop.executor, what)


def list_videos(named: Mapping[str, Conversation], work: Path, loop: ExtractParams) -> Manifest:
    """Check all files and write the manifest below `work`; raises `InputError` where one cannot be used."""
    ingest_sources({"videos": VideoSource(dict(named))}, PROTOCOL, work / "corpus", in_workers(loop, "check"))
    return Manifest.read(work / "corpus/manifest.jsonl")


def compute_cues(
    cues: Mapping[str, CueParams],
    faces: FacesParams,
    work: Path,
    loop: ExtractParams,
    like: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    """Face tracks and cues of everyone in the manifest below `work`; what is there and up to date is kept.

    Args:
        cues: As in params.yaml.
        faces: As there.
        work: Folder of the manifest; holds ``faces`` and ``features/CUE`` afterwards.
        loop: Worker processes.
        like: Of each cue, what its streams say of themselves, for people who lack what it is computed from.
    """
    corpus, tracks = work / "corpus", work / "faces"
    if any(cue.reads == "faces" for cue in cues.values()):
        params = faces.model_copy(update={"model": str(landmarker(Path(faces.model)))})
        extract_manifest(FaceTracker, params, tracks, loop, "faces", skip_missing=True, corpus=corpus, keep_others=True)
    for name, cue in cues.items():
        extractor = plugins.find(EXTRACTORS, cue.extractor, Extractor)
        settings = parse_section(extractor.Params, cue.settings(), f"cues.{name}")
        track = tracks if cue.reads == "faces" else None
        same = like[name] if like else None
        out, at = work / "features" / name, {"corpus": corpus, "like": same, "keep_others": True}
        extract_manifest(extractor, settings, out, loop, name, faces=track, **at)


def landmarker(named: Path) -> Path:
    """File of the face landmarker: where the parameters have it, else in the user's cache, fetched there."""
    if named.is_file():
        return named
    cached = LANDMARKER.expanduser()
    fetch_model(cached)
    return cached
