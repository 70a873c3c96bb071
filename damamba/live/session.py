"""Sources by their names on the command line."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from damamba.config import ExtractParams
from damamba.live.sources import Clock, FileSource, Source, device_source, is_device
from damamba.predictor.passes import list_videos
from damamba.predictor.videos import Conversation


def file_sources(videos: Sequence[Path], partners: Sequence[Path]) -> list[Source]:
    """Recordings of one conversation, after the checks of `damamba predict`.

    Raises:
        InputError: One of them cannot be used.
    """
    conversation = Conversation.of_files(videos, partners)
    with TemporaryDirectory() as folder:
        manifest = list_videos(
            {conversation.name: conversation}, Path(folder), ExtractParams(jobs=0, executor="serial")
        )
    checked = {one.participant: one for one in manifest.participants}
    return [FileSource(checked[person.name]) for person in conversation.people]


def sources_of(names: Sequence[str], partners: Sequence[str], clock: Clock) -> list[Source]:
    """Files and devices, one a person: those whose engagement is wanted, then the others.

    Raises:
        InputError: One of them cannot be used.
    """
    recorded = [[Path(name) for name in some if not is_device(name)] for some in (names, partners)]
    files = iter(file_sources(*recorded) if any(recorded) else [])
    return [device_source(name, clock) if is_device(name) else next(files) for name in (*names, *partners)]
