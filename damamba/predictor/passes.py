"""The first passes of the pipeline over some videos: check them, find faces, compute cues."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from damamba import plugins
from damamba.config import EXTRACTORS, CueParams, ExtractParams, FacesParams, ProtocolParams, parse_section
from damamba.corpus.manifest import Manifest
from damamba.executor import run_all
from damamba.features.extract import Cue, extract_manifest
from damamba.features.extractor import Extractor
from damamba.features.faces import FaceTracker
from damamba.features.landmarker_download import fetch_model
from damamba.ingest.run import ingest_sources
from damamba.predictor.progress import FACES, OTHER, PICTURES, SOUND, Passes
from damamba.predictor.videos import Conversation, VideoSource

WORK = ".damamba"
"""Below the output: cues and shards, from which a run that was stopped goes on."""
LANDMARKER = Path("~/.cache/damamba/face_landmarker.task")
PROTOCOL = ProtocolParams(adapt=(), folds=0, fold=0)
Run = Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]]


@contextmanager
def one_conversation(
    videos: Sequence[Path | str], partners: Sequence[Path | str], out: Path | str | None, jobs: int | None
) -> Iterator[tuple[Conversation, Path, ExtractParams]]:
    """What a call from Python works with: the conversation, a folder, and its workers.

    Args:
        videos: One a person.
        partners: Of people whose own engagement is not wanted.
        out: Folder in which work is kept for the next call; None: a temporary one.
        jobs: Worker processes, 0 = one a core; None: everything in this process.
    """
    loop = ExtractParams(jobs=jobs or 0, executor="serial" if jobs is None else "processes")
    conversation = Conversation.of_files([Path(video) for video in videos], [Path(video) for video in partners])
    with ExitStack() as stack:
        yield conversation, Path(stack.enter_context(TemporaryDirectory()) if out is None else out), loop


def ready_extractor(name: str, cue: CueParams) -> Extractor[Any]:
    """The extractor of a cue with its settings; its weights are not loaded."""
    extractor: Any = plugins.find(EXTRACTORS, cue.extractor, Extractor)
    return extractor(parse_section(extractor.Params, cue.settings(), f"cues.{name}"))


def in_workers(loop: ExtractParams, what: str) -> Run:
    """Applies a function to tasks, with a progress bar of this name."""
    return lambda function, tasks: run_all(function, tasks, loop.jobs, loop.executor, what)


def passes_of(cues: Mapping[str, CueParams], *after: str, people: bool = False) -> Passes:
    """The passes of a command: people found, files checked, faces tracked, cues computed, and what comes `after`."""
    work = {"people": OTHER} if people else {}
    work |= {"check": OTHER}
    if any(cue.reads == "faces" for cue in cues.values()):
        work["faces"] = FACES
    work |= {name: SOUND if ready_extractor(name, cue).media == "audio" else PICTURES for name, cue in cues.items()}
    return Passes(work | {name: PICTURES if name == "predict" else OTHER for name in after})


def list_videos(named: Mapping[str, Conversation], work: Path, loop: ExtractParams) -> Manifest:
    """Check all files and write the manifest below `work`; raises `InputError` where one cannot be used."""
    ingest_sources({"videos": VideoSource(dict(named))}, PROTOCOL, work / "corpus", in_workers(loop, "check"))
    return Manifest.read(work / "corpus/manifest.jsonl")


def compute_cues(
    cues: Mapping[str, CueParams],
    faces: FacesParams,
    work: Path,
    loop: ExtractParams,
    passes: Passes,
    like: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    """Face tracks and cues of everyone in the manifest below `work`; what is there and up to date is kept.

    Args:
        cues: As in params.yaml.
        faces: As there.
        work: Folder of the manifest; holds ``faces`` and ``features/CUE`` afterwards.
        loop: Worker processes.
        passes: Announces each.
        like: Of each cue, what its streams say of themselves, for people who lack what it is computed from.
    """
    corpus, tracks = work / "corpus", work / "faces"
    extract = partial(extract_manifest, loop=loop, corpus=corpus, keep_others=True)
    if any(cue.reads == "faces" for cue in cues.values()):
        params = faces.model_copy(update={"model": str(landmarker(Path(faces.model)))})
        passes.begin("faces")
        extract(FaceTracker, params, tracks, what="faces", skip_missing=True)
    extractors = {name: ready_extractor(name, cue) for name, cue in cues.items()}
    seeing = [
        Cue(type(extractors[name]), extractors[name].params, work / "features" / name)
        for name, cue in cues.items()
        if cue.reads == "faces"
    ]
    for name, cue in cues.items():
        passes.begin(name)
        extractor = extractors[name]
        extract(
            type(extractor),
            extractor.params,
            work / "features" / name,
            what=name,
            faces=tracks if cue.reads == "faces" else None,
            like=like[name] if like else None,
            beside=seeing,
        )


def landmarker(named: Path) -> Path:
    """File of the face landmarker: where the parameters have it, else in the user's cache, fetched there."""
    if named.is_file():
        return named
    cached = LANDMARKER.expanduser()
    fetch_model(cached)
    return cached
