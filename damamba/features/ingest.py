"""From sources to one checked corpus: manifest rows, media as their time stamps tell, labels as they cover them."""

import logging
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from damamba.config import LABEL_RATE_HZ, Params
from damamba.console import InputError, progress
from damamba.corpus.defects import KINDS, Defect, counts, write_report
from damamba.corpus.labels import Labels, read_labels
from damamba.corpus.manifest import Manifest, Participant, join, read_csv
from damamba.corpus.official import read_official
from damamba.corpus.protocol import apply_protocol
from damamba.features.files import prune, sha256, whole_file
from damamba.features.media import probe_audio, probe_video
from damamba.features.released import inspect

logger = logging.getLogger(__name__)


def ingest(params: Params, simulated: Path, out: Path) -> str:
    """Check every row and file of all sources, then write ``manifest.jsonl`` and ``labels/``; the summary line.

    Raises:
        InputError: Every problem found, one a line; nothing is written then.
    """
    sources = []
    if "simulate" in params.corpus.sources:
        sources.append(read_csv(simulated, "manifest.csv", "simulated"))
    if "folder" in params.corpus.sources:
        sources.append(read_csv(Path(params.corpus.folder.root), params.corpus.folder.manifest, "own"))
    defects: list[Defect] = []
    if "official" in params.corpus.sources:
        released, defects = read_official(params.corpus.official)
        sources.append(released)
    rows, problems, labelled = [], [], {}
    for participant in progress(apply_protocol(join(sources).participants, params.corpus.protocol), "ingest"):
        try:
            if participant.streams:
                inspected = inspect(participant, params.corpus.label_slack_s)
                checked, labels = _with_released_media(inspected.participant), inspected.labels
                defects += inspected.defects
            else:
                checked = _with_media(participant)
                labels = _covering(checked, params.corpus.label_slack_s) if checked.label else None
            if labels is not None:
                labelled[checked] = labels
            rows.append(checked)
        except InputError as error:
            problems.append(str(error))
    if problems:
        raise InputError(
            "\n".join(
                [*problems, f"ingest: {len(problems)} of {len(problems) + len(rows)} participants cannot be used"]
            )
        )
    manifest = Manifest(tuple(rows))
    for participant, labels in labelled.items():
        _write_labels(participant.shard(out / "labels"), labels)
    with whole_file(out / "manifest.jsonl") as temporary:
        manifest.write(temporary)
    with whole_file(out / "defects.json") as temporary:
        write_report(temporary, defects)
    prune(out, {out / "manifest.jsonl", out / "defects.json", *(p.shard(out / "labels") for p in labelled)})
    _log_defects(defects)
    hours = sum(p.duration_s for p in rows) / 3600
    people = len({(p.corpus, p.person) for p in rows})
    return (
        f"{len(manifest.sessions())} sessions, {len(rows)} participants ({len(labelled)} labelled), {people} persons, "
        f"{hours:.2f} h" + (f" · {len(defects)} known defects: {out / 'defects.json'}" if defects else "")
    )


def _log_defects(defects: list[Defect]) -> None:
    for defect in defects:
        logger.info("%s", defect)
    for kind, number in counts(defects).items():
        logger.info("%d × %s: %s", number, kind, KINDS[kind])


def _with_released_media(participant: Participant) -> Participant:
    """With the hashes of raw media where they are there; the length stays that of the streams."""
    video, audio = (Path(path) if path else None for path in (participant.video, participant.audio))
    if video:
        probe_video(video)
    if audio:
        probe_audio(audio)
    return replace(
        participant,
        video_sha256=sha256(video) if video else "",
        audio_sha256=sha256(audio) if audio else "",
    )


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


def _covering(participant: Participant, slack_s: float) -> Labels:
    """The labels, one for every label frame of the video; what the file misses is not valid."""
    labels = read_labels(Path(participant.label))
    expected = round(participant.duration_s * LABEL_RATE_HZ)
    if abs(len(labels) - expected) > max(slack_s * LABEL_RATE_HZ, 1):
        raise InputError(
            f"{participant.label}: {len(labels)} labels are {len(labels) / LABEL_RATE_HZ:.2f} s at {LABEL_RATE_HZ} Hz, "
            f"but {participant.video} lasts {participant.duration_s:.2f} s; bring the right file, "
            "or raise corpus.label_slack_s"
        )
    if len(labels) != expected:
        logger.info(
            "%s: %d labels for %d label frames of video; the difference is not valid",
            participant.name,
            len(labels),
            expected,
        )
    return labels.resized(expected)


def _write_labels(path: Path, labels: Labels) -> None:
    table = pa.table({"value": pa.array(labels.value), "valid": pa.array(labels.valid)})
    with whole_file(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)
