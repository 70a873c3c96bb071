"""A session to be simulated: which files it has, which of them are complete, and how the rest are made.

Order makes a session resumable. The marker ``session.json`` is written after sound, labels and truth, so its presence
means that they are complete; a video gets its name only when it is complete.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from damamba.config import SimulateParams
from damamba.files import whole_file
from damamba_sim.behaviour.channels import stream_names
from damamba_sim.corpora.plan import Member, SessionPlan
from damamba_sim.recording.channels import write_channels
from damamba_sim.recording.key import session_key
from damamba_sim.recording.sound import write_sound
from damamba_sim.recording.video import write_participant_video


@dataclass(frozen=True)
class SessionRecording:
    """A session and where its files go."""

    plan: SessionPlan
    root: Path
    """Folder of the raw data."""
    params: SimulateParams
    face_model: Path
    """MediaPipe's face landmarker, which contains the face mesh; not read if there are no videos."""

    @property
    def marker(self) -> Path:
        """The file that is written when everything except the videos is complete."""
        return self.root / "truth" / self.plan.name / "session.json"

    def video(self, member: Member) -> Path:
        """A participant's video."""
        return self.root / self.plan.path(member.participant, "video.mp4")

    def files(self) -> list[Path]:
        """All files of the complete session, including the marker and the videos."""
        plan = self.plan
        names = [f"{plan.folder}/language.annotation.csv"]
        for member in plan.members:
            who = member.participant
            if self.params.features_only:
                headers = stream_names(who).values()
                names += [f"{plan.folder}/{name}{end}" for name in headers for end in ("", "~")]
            else:
                names += [plan.path(who, "audio.wav"), plan.path(who, "video.mp4")]
            names.append(plan.truth_path(who))
            if member.labelled:
                names.append(plan.path(who, "engagement.annotation.csv"))
        return [self.marker, *(self.root / name for name in names)]

    def key(self) -> str:
        """Hash of everything on which the session's bytes depend."""
        return session_key(self.plan, self.params, self.face_model)


def record(recording: SessionRecording) -> bool:
    """Write all of a session except its videos; False if it was already there, from the same key."""
    if _is_recorded(recording):
        return False
    for path in recording.files():  # the marker first
        path.unlink(missing_ok=True)
    if recording.params.features_only:
        write_channels(recording.plan, recording.root, recording.params.minutes)
    else:
        write_sound(recording.plan, recording.root, recording.params.minutes, recording.params.flaws)
    written = [path for path in recording.files() if path.suffix != ".mp4" and path != recording.marker]
    sizes = {path.relative_to(recording.root).as_posix(): path.stat().st_size for path in written}
    with whole_file(recording.marker) as temporary:
        temporary.write_text(json.dumps({"key": recording.key(), "bytes": sizes}, indent=1) + "\n")
    return True


def film(task: tuple[SessionRecording, Member]) -> bool:
    """Write the video of one participant of a recorded session; False if it was already there."""
    recording, member = task
    if recording.video(member).exists():  # `record` has removed videos with another key
        return False
    write_participant_video(recording.plan, member, recording.root, recording.params, recording.face_model)
    return True


def _is_recorded(recording: SessionRecording) -> bool:
    try:
        marker = json.loads(recording.marker.read_text())
        return marker["key"] == recording.key() and all(
            (recording.root / name).stat().st_size == size for name, size in marker["bytes"].items()
        )
    except (FileNotFoundError, ValueError, KeyError):
        return False
