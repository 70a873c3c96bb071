"""The plan of one session: everything that its files follow from, besides the common parameters."""

from dataclasses import dataclass

from damamba_sim.behaviour.conversation import Conversation, converse
from damamba_sim.behaviour.engagement import SessionQuantiles
from damamba_sim.behaviour.scene import Law


@dataclass(frozen=True)
class Member:
    """A participant of a planned session."""

    participant: str
    """Role or seat: the first part of the file names."""
    person: str
    seed: int
    """Seed of looks and voice."""
    labelled: bool
    number: int
    """Number among the participants of the corpus; decides which flaw of the media falls on whom."""


@dataclass(frozen=True)
class SessionPlan:
    """One session to simulate."""

    corpus: str
    session: str
    split: str
    language: str
    folder: str
    """Folder below the raw data, as in the release."""
    seed: int
    """Seed of behaviour, wording and annotation."""
    shared_microphone: bool
    members: tuple[Member, ...]
    quantiles: SessionQuantiles
    law: Law

    @property
    def name(self) -> str:
        """corpus/session."""
        return f"{self.corpus}/{self.session}"

    def converse(self, minutes: float) -> Conversation:
        """Simulate its conversation."""
        roles = [member.participant for member in self.members]
        return converse(self.seed, len(roles), minutes, self.language, roles, self.law, self.quantiles)

    def path(self, participant: str, suffix: str) -> str:
        """A participant's file below the raw data, such as ``noxi/train/001/expert.audio.wav``."""
        return f"{self.folder}/{participant}.{suffix}"

    def truth_path(self, participant: str) -> str:
        """A participant's true channels below the raw data, such as ``truth/noxi/001/expert.parquet``."""
        return f"truth/{self.name}/{participant}.parquet"
