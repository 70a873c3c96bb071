"""How each corpus is released: folders, official session numbers, dyads or groups."""

from dataclasses import dataclass

from damamba.corpus.release import SESSIONS

SPLITS = ("train", "val", "test")
MAX_PEOPLE = 4
"""Most participants of a session."""
FIRST_FREE_NUMBER = 201
"""First session number that no release uses: NoXi-J's end at 150."""


@dataclass(frozen=True)
class CorpusRelease:
    """How a corpus is released."""

    folders: dict[str, str]
    """Split: folder. The corpus has no other splits."""
    sessions: dict[str, tuple[str, ...]]
    """Split: official session numbers."""
    group: bool
    """Whether sessions are groups of three or four with one room microphone; otherwise dyads with a headset each."""
    level: float = 0.0
    """Mean engagement relative to NoXi, logits."""


RELEASES = {
    "noxi": CorpusRelease(
        folders={"train": "noxi/train", "val": "noxi/val", "test": "noxi/test-base"},
        sessions=SESSIONS["noxi"],
        group=False,
    ),
    "noxi_add": CorpusRelease(
        folders={"test": "noxi/test-additional"},
        sessions=SESSIONS["noxi_add"],
        group=False,
        level=-0.2,
    ),
    "mpiigi": CorpusRelease(
        folders={"val": "mpiigroupinteraction/val", "test": "mpiigroupinteraction/test"},
        sessions=SESSIONS["mpiigi"],
        group=True,
        level=0.2,
    ),
}
