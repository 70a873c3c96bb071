"""The files of each filmed participant."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from damamba_sim.corpora.plan import SessionPlan


@dataclass(frozen=True)
class FilmedParticipant:
    """One participant's files."""

    corpus: str
    session: str
    participant: str
    truth: Path
    """True channels."""
    video: Path
    sound: Path
    face_track: Path
    truth_of_others: tuple[Path, ...]
    """True channels of the others before the same microphone."""

    @property
    def name(self) -> str:
        """corpus/session/participant."""
        return f"{self.corpus}/{self.session}/{self.participant}"


def filmed_participants(plans: Iterable[SessionPlan], raw: Path, faces: Path) -> list[FilmedParticipant]:
    """All participants of these sessions.

    Args:
        plans: The sessions.
        raw: Folder of the raw data.
        faces: Folder of the face tracks.
    """
    participants = []
    for plan in plans:
        truth = {member.participant: raw / plan.truth_path(member.participant) for member in plan.members}
        for who, own_truth in truth.items():
            others = tuple(path for path in truth.values() if path != own_truth) if plan.shared_microphone else ()
            participants.append(
                FilmedParticipant(
                    corpus=plan.corpus,
                    session=plan.session,
                    participant=who,
                    truth=own_truth,
                    video=raw / plan.path(who, "video.mp4"),
                    sound=raw / plan.path(who, "audio.wav"),
                    face_track=faces / plan.name / f"{who}.parquet",
                    truth_of_others=others,
                )
            )
    return participants
