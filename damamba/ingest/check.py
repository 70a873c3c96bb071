"""Check the files of one participant: media, released streams and labels."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from damamba.console import InputError
from damamba.corpus.defects import Defect
from damamba.corpus.labels import Labels
from damamba.corpus.manifest import Participant
from damamba.files import sha256
from damamba.ingest.released import check_released
from damamba.ingest.sources.base import Source
from damamba.media.decode import probe_audio, probe_video

SHORT_SOUND_S = 0.5
"""Sound that ends earlier than its picture by more than this is logged."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class IngestTask:
    """One participant to check; it is sent to a worker."""

    participant: Participant
    source: Source[Any]
    """The source that listed the participant."""


@dataclass(frozen=True)
class CheckedParticipant:
    """A participant with length, rate and hashes, after its files were checked."""

    participant: Participant
    labels: Labels | None = None
    """None without annotation."""
    defects: tuple[Defect, ...] = ()
    problem: str = ""
    """Why the participant cannot be used; "" if it can."""


def check(task: IngestTask) -> CheckedParticipant:
    """Check all files of a participant; raises nothing for bad input, which is the result's `problem`."""
    participant, source = task.participant, task.source
    try:
        if participant.streams:
            labels = source.labels(participant, None) if participant.label else None
            released = check_released(participant, labels, source.label_slack_s)
            with_media, media_defects = _with_released_media(released.participant, source.label_slack_s)
            return CheckedParticipant(with_media, released.labels, (*released.defects, *media_defects))
        with_media = _with_media(participant)
        labels = source.labels(with_media, with_media.duration_s) if participant.label else None
        if labels is not None and (invalid := int((~labels.valid).sum())):
            logger.info("%s: %d of %d label frames are not valid", with_media.name, invalid, len(labels))
        return CheckedParticipant(with_media, labels)
    except InputError as error:
        return CheckedParticipant(participant, problem=str(error))


def _with_released_media(participant: Participant, slack_s: float) -> tuple[Participant, list[Defect]]:
    """With hash and rate of raw media, if there are any; the length remains that of streams and labels."""
    defects = []
    changes: dict[str, object] = {}
    ends_s = {}
    if participant.video:
        video = probe_video(Path(participant.video))
        ends_s["video"] = video.end_s
        changes |= {"rate_hz": round(video.rate_hz, 3), "n_frames": video.n_frames}
    if participant.audio:
        ends_s["audio"] = probe_audio(Path(participant.audio)).end_s
    for kind, end_s in ends_s.items():
        changes[f"{kind}_sha256"] = sha256(Path(getattr(participant, kind)))
        if abs(end_s - participant.duration_s) > slack_s:
            what = f"{kind} of {end_s:.2f} s, streams of {participant.duration_s:.2f} s"
            defects.append(Defect("media_length", participant.name, what))
    return replace(participant, **changes), defects


def _with_media(participant: Participant) -> Participant:
    """With hashes, rate and length of the media; the picture sets the length."""
    video = probe_video(Path(participant.video))
    audio = probe_audio(Path(participant.audio))
    if audio.end_s < video.end_s - SHORT_SOUND_S:
        logger.info(
            "%s: sound ends at %.2f s, the picture at %.2f s; audio cues are invalid from there",
            participant.name,
            audio.end_s,
            video.end_s,
        )
    if video.start_s > 0.5 / video.rate_hz:
        logger.info("%s: the picture starts at %.3f s; visual cues are invalid before", participant.name, video.start_s)
    one_file = participant.audio == participant.video
    video_sha256 = sha256(Path(participant.video))
    return replace(
        participant,
        video_sha256=video_sha256,
        audio_sha256=video_sha256 if one_file else sha256(Path(participant.audio)),
        duration_s=video.end_s,
        rate_hz=round(video.rate_hz, 3),
        n_frames=video.n_frames,
    )
