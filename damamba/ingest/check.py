"""Check the files of one participant: media, released streams and labels."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from damamba.config import LABEL_RATE_HZ
from damamba.console import InputError
from damamba.corpus.defects import Defect
from damamba.corpus.labels import Labels
from damamba.corpus.manifest import Participant
from damamba.files import sha256
from damamba.ingest.own_streams import check_own
from damamba.ingest.released import check_released
from damamba.ingest.sources.base import Source
from damamba.media.guarded import guarded
from damamba.media.probe import Video, has_sound, probe_audio, probe_video
from damamba.media.sound import SoundSurvey
from damamba.media.track import audio_of, video_of

SYNC_S = 0.1
"""Sound and picture may begin this far apart without a note."""
END_S = 0.5
"""Sound and picture may end this far apart without a note."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class IngestTask:
    """One participant to check; it is sent to a worker."""

    participant: Participant
    source: Source[Any]
    """The source that listed the participant."""
    session_s: float = 0.0
    """End of the longest stream of one's own in the session, s; 0 where there is none."""


@dataclass(frozen=True)
class CheckedParticipant:
    """A participant with length, rate and hashes, after its files were checked."""

    participant: Participant
    labels: Labels | None = None
    """None without annotation."""
    also: Mapping[str, Labels] = field(default_factory=dict)
    """Further labels that the participant has."""
    defects: tuple[Defect, ...] = ()
    problem: str = ""
    """Why the participant cannot be used; "" if it can."""


def check(task: IngestTask) -> CheckedParticipant:
    """Check all files of a participant; raises nothing for bad input, which is the result's `problem`."""
    participant, source = task.participant, task.source
    try:
        if any(stream.end_s is not None for stream in participant.streams):
            return _own(task)
        if participant.streams:
            labels, also = _labels(source, participant, None), _also(source, participant, None)
            released = check_released(participant, labels, source.label_slack_s, also)
            with_media, media_defects = _with_released_media(released.participant, source.label_slack_s)
            return CheckedParticipant(with_media, released.labels, released.also, (*released.defects, *media_defects))
        with_media, defects = _with_media(participant)
        labels = _labels(source, with_media, with_media.duration_s)
        if labels is not None and (invalid := int((~labels.valid).sum())):
            logger.info("%s: %d of %d label frames are not valid", with_media.name, invalid, len(labels))
        also = _also(source, with_media, with_media.duration_s)
        return CheckedParticipant(with_media, labels, also, tuple(defects))
    except InputError as error:
        return CheckedParticipant(participant, problem=str(error))


def _own(task: IngestTask) -> CheckedParticipant:
    """A participant with streams of one's own: the files' own times set the clock and the length."""
    source, slack_s = task.source, task.source.label_slack_s
    participant, defects = check_own(task.participant, slack_s)
    media = _examined(participant)
    for kind, end_s in media.ends_s.items():
        if kind == "video" and participant.duration_s > end_s + slack_s:
            raise InputError(
                f"{participant.video}: ends at {end_s:.2f} s, but the streams of {participant.name} at "
                f"{participant.duration_s:.2f} s; are they of another session? use the files of one recording"
            )
        if abs(end_s - participant.duration_s) > slack_s:
            what = f"{kind} of {end_s:.2f} s, streams of {participant.duration_s:.2f} s; what they lack is not valid"
            defects.append(Defect("stream_end", participant.name, what))
    duration_s = max(participant.duration_s, media.ends_s.get("video", 0.0))
    n_frames = media.changes.get("n_frames", round(duration_s * LABEL_RATE_HZ))
    changes = {"rate_hz": float(LABEL_RATE_HZ), **media.changes, "n_frames": n_frames}
    participant = replace(participant, **changes, duration_s=duration_s)
    # of somebody who leaves early, labels may go on for as long as the session does
    until_s = max(duration_s, task.session_s)
    labels, also = _labels(source, participant, until_s), _also(source, participant, until_s)
    if labels is not None and (invalid := int((~labels.valid).sum())):
        what = f"{invalid} of {len(labels)} label frames have no value"
        defects.append(Defect("invalid_labels", participant.name, what, count=invalid))
    return CheckedParticipant(participant, labels, also, (*defects, *media.defects))


def _labels(source: Source[Any], participant: Participant, end_s: float | None) -> Labels | None:
    """Labels as the source reads them; raises `InputError` where values are not those of the section `labels`."""
    if not participant.label:
        return None
    labels = source.labels(participant, end_s)
    n = len(source.annotated.classes)
    if n and not np.isin(labels.value[labels.valid], np.arange(n)).all():
        raise InputError(
            f"{participant.label}: the source gives other values than numbers of the {n} classes in labels.classes; "
            "let its `labels` return these, or set labels.kind to continuous"
        )
    return labels


def _also(source: Source[Any], participant: Participant, end_s: float | None) -> dict[str, Labels]:
    """The further labels that the participant has, each as `_labels`."""
    every = {name: _labels(source.of_label(name), participant.of_label(name), end_s) for name in participant.also}
    return {name: labels for name, labels in every.items() if labels is not None}


def _with_released_media(participant: Participant, slack_s: float) -> tuple[Participant, list[Defect]]:
    """With hash and rate of raw media, if there are any; the length remains that of streams and labels."""
    media = _examined(participant)
    changes = dict(media.changes)
    defects = [*media.defects]
    for kind, end_s in media.ends_s.items():
        if abs(end_s - participant.duration_s) > slack_s:
            what = f"{kind} of {end_s:.2f} s, streams of {participant.duration_s:.2f} s"
            defects.append(Defect("media_length", participant.name, what))
    return replace(participant, **changes), defects


def _with_media(participant: Participant) -> tuple[Participant, list[Defect]]:
    """With hashes, rate and length of the media; the picture sets the length.

    Raises:
        InputError: They cannot be used, or are shorter than one label.
    """
    media = _examined(participant)
    if round(media.ends_s["video"] * LABEL_RATE_HZ) < 1:
        raise InputError(
            f"{participant.video}: {media.changes['n_frames']} picture at {media.ends_s['video']:.3f} s, which is no "
            f"recording: one value of engagement covers {1 / LABEL_RATE_HZ} s; leave it out"
        )
    return replace(participant, **media.changes, duration_s=media.ends_s["video"]), media.defects


@dataclass(frozen=True)
class _Examined:
    """What the media of a participant are."""

    changes: dict[str, Any]
    """Fields of the manifest."""
    ends_s: dict[str, float]
    """End of picture and sound, s."""
    defects: list[Defect]


def _examined(participant: Participant) -> _Examined:
    """Read picture and sound, as far as there are any.

    Raises:
        InputError: One of them cannot be used.
    """
    changes: dict[str, Any] = {}
    ends_s: dict[str, float] = {}
    notes: list[tuple[str, str]] = []
    video = None
    if participant.video:
        video = guarded(probe_video, video_of(participant))
        ends_s["video"] = video.end_s
        changes |= {"rate_hz": round(video.rate_hz, 3), "n_frames": video.n_frames}
        changes["video_sha256"] = sha256(Path(participant.video))
        if participant.reference:
            changes["reference_sha256"] = sha256(Path(participant.reference))
        notes += [("media", note) for note in video.notes]
        if video.start_s > 0.5 / video.rate_hz:
            notes.append(("media", f"the picture starts at {video.start_s:.3f} s; visual cues are not valid before"))
    if participant.audio:
        own_track = participant.audio == participant.video
        if own_track and not guarded(has_sound, Path(participant.audio)):
            changes["audio"] = ""
            notes.append(("no_sound", f"{participant.video} has no sound track, and there is no sound file"))
        else:
            sound = guarded(probe_audio, audio_of(participant))
            if sound.silent:
                changes["audio"] = ""
                notes += [("no_sound", f"{participant.audio}: {note}") for note in sound.notes]
            else:
                ends_s["audio"] = sound.end_s
                video_sha256 = changes.get("video_sha256")
                changes["audio_sha256"] = video_sha256 if own_track else sha256(Path(participant.audio))
                notes += [("media", note) for note in sound.notes]
                notes += [("media", note) for note in ends_that_differ(video, sound)]
    return _Examined(changes, ends_s, [Defect(kind, participant.name, note) for kind, note in notes])


def ends_that_differ(video: Video | None, sound: SoundSurvey) -> list[str]:
    """Notes on sound and picture that do not begin or end together."""
    if video is None:
        return []
    lines = []
    late = sound.start_s - video.start_s
    if abs(late) > SYNC_S:
        lines.append(f"sound begins {abs(late):.2f} s {'after' if late > 0 else 'before'} the picture")
    longer = sound.end_s - video.end_s
    if abs(longer) > END_S:
        what = "what is longer is not used" if longer > 0 else f"audio cues are not valid from {sound.end_s:.2f} s on"
        kind = "longer" if longer > 0 else "shorter"
        lines.append(f"sound is {abs(longer):.1f} s {kind} than the picture; were both started together? {what}")
    return lines
