"""From sources to one checked corpus: manifest rows, media as their time stamps tell, labels as they cover them."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from damamba.config import CorpusParams, Params
from damamba.console import InputError
from damamba.corpus.agreement import read_label
from damamba.corpus.defects import KINDS, Defect, counts, write_report
from damamba.corpus.labels import Labels, read_labels
from damamba.corpus.manifest import Manifest, Participant, join, read_csv
from damamba.corpus.official import read_official
from damamba.corpus.protocol import apply_protocol
from damamba.files import prune, sha256, whole_file
from damamba.ingest.released import inspect
from damamba.media.decode import probe_audio, probe_video

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """One participant to check; travels to a worker."""

    participant: Participant
    params: CorpusParams
    source: str
    """Of `corpus.sources`."""


@dataclass(frozen=True)
class Checked:
    """What was found out about one participant."""

    participant: Participant
    labels: Labels | None = None
    defects: tuple[Defect, ...] = ()
    problem: str = ""
    """Why the participant cannot be used, "" where nothing is in the way."""


def ingest(
    params: Params,
    simulated: Path,
    out: Path,
    run: Callable[[Callable[[Task], Checked], Sequence[Task]], list[Checked]],
) -> str:
    """Check every row and file of all sources, then write ``manifest.jsonl`` and ``labels/``; the summary line.

    Args:
        params: All of params.yaml.
        simulated: Folder of the built-in corpus.
        out: Folder of the corpus.
        run: Runs a function over tasks: the executor.

    Raises:
        InputError: Every problem found, one a line; nothing is written then.
    """
    held: dict[str, list[Participant]] = {}
    defects: list[Defect] = []
    if "simulate" in params.corpus.sources:
        held["simulate"] = read_csv(simulated, "manifest.csv", "simulated")
    if "folder" in params.corpus.sources:
        held["folder"] = read_csv(Path(params.corpus.folder.root), params.corpus.folder.manifest, "own")
    if "official" in params.corpus.sources:
        held["official"], defects = read_official(params.corpus.official)
    source_of = {p.key: source for source, rows in held.items() for p in rows}
    rows = apply_protocol(join(list(held.values())).participants, params.corpus.protocol)
    found = run(check, [Task(p, params.corpus, source_of[p.key]) for p in rows])
    if problems := [one.problem for one in found if one.problem]:
        summary = f"ingest: {len(problems)} of {len(found)} participants cannot be used"
        raise InputError("\n".join([*problems, summary]))
    manifest = Manifest(tuple(one.participant for one in found))
    defects += [defect for one in found for defect in one.defects]
    written = {out / "manifest.jsonl", out / "defects.json"}
    for one in found:
        if one.labels is not None:
            path = one.participant.shard(out / "labels")
            _write_labels(path, one.labels)
            written.add(path)
    with whole_file(out / "manifest.jsonl") as temporary:
        manifest.write(temporary)
    with whole_file(out / "defects.json") as temporary:
        write_report(temporary, defects)
    prune(out, written)
    _log_defects(defects)
    hours = sum(p.duration_s for p in manifest.participants) / 3600
    people = len({(p.corpus, p.person) for p in manifest.participants})
    return (
        f"{len(manifest.sessions())} sessions, {len(found)} participants ({len(written) - 2} labelled), "
        f"{people} persons, {hours:.2f} h"
        + (f" · {len(defects)} known defects: {out / 'defects.json'}" if defects else "")
    )


def check(task: Task) -> Checked:
    """Look through the files of one participant."""
    participant, params = task.participant, task.params
    slack_s = params.label_slack_s
    try:
        if participant.streams:
            inspected = inspect(participant, _labels(task, None), slack_s)
            checked, remarks = _with_released_media(inspected.participant, slack_s)
            return Checked(checked, inspected.labels, (*inspected.defects, *remarks))
        checked = _with_media(participant)
        labels = _labels(task, checked.duration_s)
        if labels is not None and (unknown := int((~labels.valid).sum())):
            logger.info("%s: %d of %d label frames are not valid", checked.name, unknown, len(labels))
        return Checked(checked, labels)
    except InputError as error:
        return Checked(participant, problem=str(error))


def _labels(task: Task, end_s: float | None) -> Labels | None:
    """What annotators said; as long as a recording that ends at `end_s`, else as their file."""
    label, folder = task.participant.label, task.params.folder
    if not label:
        return None
    if task.source == "official":
        return read_labels(Path(label))
    if task.source == "folder":
        return read_label(label, end_s, task.params.label_slack_s, folder.merge, folder.lag_s)
    return read_label(label, end_s, task.params.label_slack_s)


def _log_defects(defects: list[Defect]) -> None:
    for defect in defects:
        logger.info("%s", defect)
    for kind, number in counts(defects).items():
        logger.info("%d × %s: %s", number, kind, KINDS[kind])


def _with_released_media(participant: Participant, slack_s: float) -> tuple[Participant, list[Defect]]:
    """With hash and rate of raw media where they are there; streams and labels set the length."""
    defects = []
    changed: dict[str, object] = {}
    ends_s = {}
    if participant.video:
        video = probe_video(Path(participant.video))
        ends_s["video"] = video.end_s
        changed |= {"rate_hz": round(video.rate_hz, 3), "n_frames": video.n_frames}
    if participant.audio:
        ends_s["audio"] = probe_audio(Path(participant.audio)).end_s
    for kind, end_s in ends_s.items():
        changed[f"{kind}_sha256"] = sha256(Path(getattr(participant, kind)))
        if abs(end_s - participant.duration_s) > slack_s:
            what = f"{kind} of {end_s:.2f} s, streams of {participant.duration_s:.2f} s"
            defects.append(Defect("media_length", participant.name, what))
    return replace(participant, **changed), defects


def _with_media(participant: Participant) -> Participant:
    video = probe_video(Path(participant.video))
    audio = probe_audio(Path(participant.audio))
    if audio.end_s < video.end_s - 0.5:
        logger.info(
            "%s: sound ends at %.2f s, the picture at %.2f s; audio cues are invalid from there",
            participant.name,
            audio.end_s,
            video.end_s,
        )
    if video.start_s > 0.5 / video.rate_hz:
        logger.info("%s: the picture starts at %.3f s; visual cues are invalid before", participant.name, video.start_s)
    same = participant.audio == participant.video
    video_sha256 = sha256(Path(participant.video))
    return replace(
        participant,
        video_sha256=video_sha256,
        audio_sha256=video_sha256 if same else sha256(Path(participant.audio)),
        duration_s=video.end_s,
        rate_hz=round(video.rate_hz, 3),
        n_frames=video.n_frames,
    )


def _write_labels(path: Path, labels: Labels) -> None:
    table = pa.table({"value": pa.array(labels.value), "valid": pa.array(labels.valid)})
    with whole_file(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)
