"""Source `folder`: recordings of one's own, described by a CSV (docs/your-data.md)."""

from typing import Annotated

from pydantic import Field

from damamba.config import MergeMethod, Section
from damamba.console import InputError
from damamba.corpus.agreement import read_label
from damamba.corpus.labels import Labels
from damamba.corpus.manifest import Participant
from damamba.corpus.manifest_csv import read_csv
from damamba.ingest.sources.base import Source, SourceListing, root_folder, told

ROOT = "data/recordings"
OLD_ROOT = "recordings"


class FolderSourceParams(Section):
    """Settings under ``corpus.folder``."""

    root: str
    """Folder of the recordings; every path in the manifest is relative to it."""
    manifest: str
    """CSV inside `root`, one row a participant."""
    merge: MergeMethod
    """How several annotators of a participant are merged: mean, or ewe, which weighs each by its agreement with the
    others."""
    lag_s: Annotated[float, Field(ge=0, le=60)]
    """Delay of the annotators, s: the value at t is taken as the response to t - lag_s."""


class FolderSource(Source[FolderSourceParams]):
    """One's own recordings."""

    Params = FolderSourceParams

    def listing(self) -> SourceListing:
        """Participants of the manifest; raises `InputError` as `read_csv`, or where there is no such folder."""
        root = root_folder(self.params.root, ROOT, OLD_ROOT)
        if not root.is_dir():
            raise InputError(f"{root}: no such folder; put your recordings there, or set corpus.folder.root to theirs")
        return SourceListing(read_csv(root, self.params.manifest, also=tuple(self.also)))

    def labels(self, participant: Participant, end_s: float | None) -> Labels:
        """Labels of all annotators, merged and moved back by their delay."""
        params, n_frames = self.params, participant.n_frames
        read = read_label(
            participant.label, end_s, self.label_slack_s, params.merge, params.lag_s, n_frames, self.annotated
        )
        return told(participant, read)
