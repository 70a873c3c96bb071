"""Source `official`: the corpora of the MultiMediate challenge as it releases them (docs/noxi.md)."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from damamba.config import Name, Section, Split
from damamba.console import InputError
from damamba.corpus.agreement import read_label
from damamba.corpus.annotation_csv import read_labels
from damamba.corpus.labels import Labels
from damamba.corpus.manifest import Participant
from damamba.corpus.release import CLASSES, ENGAGEMENT, LABEL_ENDING
from damamba.corpus.release_reader import read_release
from damamba.corpus.release_trees import ReleaseLayout
from damamba.ingest.sources.base import Source, SourceListing, released_s, root_folder, told

ROOT = "data/release"
OLD_ROOT = "release"
ReleasedCorpus = Literal["noxi", "noxi_add", "mpiigi", "noxi_j", "pinsoro_cc", "pinsoro_cr"]
SplitFolders = dict[ReleasedCorpus, dict[Split, str | None]]


class OfficialSourceParams(Section):
    """Settings under ``corpus.official``."""

    root: str
    """Folder of the download; the folders below are relative to it, or absolute."""
    layout: Literal[2024, 2025, 2026]
    """Year of the tree; 2026 has the tree of 2025 and more corpora."""
    annotation: Literal["engagement", "task_engagement", "social_engagement"] = ENGAGEMENT
    """Which labels are read. Only corpora that have them are: for the last two, PInSoRo alone."""
    streams: Annotated[tuple[Name, ...], Field(min_length=1)]
    """Names of the released streams that are read."""
    media: bool
    """Whether raw video and sound are read too, where they exist."""
    features_at: dict[ReleasedCorpus, dict[Split, str | None] | None]
    """Folder of a split's sessions if it is not the layout's; null leaves the split, or the corpus, out."""
    labels_at: SplitFolders
    """Folder of a split's labels if they lie neither beside the features nor where the layout has them."""
    media_at: SplitFolders
    """The same for raw media."""
    persons: str | None
    """CSV with the columns corpus, session, participant, person. The release does not name persons: with null, every
    participant is a person of their own."""


class OfficialSource(Source[OfficialSourceParams]):
    """The MultiMediate release."""

    Params = OfficialSourceParams

    def listing(self) -> SourceListing:
        """Sessions of the official lists, with the defects of the trees; raises `InputError` as `read_release`."""
        params = self.params
        self._check_kind()
        layout = ReleaseLayout(
            root_folder(params.root, ROOT, OLD_ROOT),
            params.layout,
            params.features_at,
            params.labels_at,
            params.media_at,
            params.annotation,
            tuple(self.also),
        )
        persons = Path(params.persons) if params.persons else None
        return SourceListing(*read_release(layout, params.streams, params.media, persons))

    def labels(self, participant: Participant, end_s: float | None) -> Labels:
        """Labels of the release's file, in its own length: `ingest` compares them with the streams.

        Stretches of time end where annotation ends, so that they are extended to the length of the streams.
        """
        if self.annotated.classes:
            length_s = None if participant.label.endswith(LABEL_ENDING) else released_s(participant)
            return told(participant, read_label(participant.label, length_s, self.label_slack_s, labels=self.annotated))
        return read_labels(Path(participant.label))

    def _check_kind(self) -> None:
        """Raise `InputError` where the section `labels` is of another kind than an annotation, or has it twice."""
        annotation = self.params.annotation
        if annotation in self.also:
            raise InputError(
                f"params.yaml: labels.also.{annotation}: it is corpus.official.annotation, the label at the top of "
                "`labels`; name it once"
            )
        places = {annotation: (f"corpus.official.annotation: {annotation}", "labels", self.annotated)}
        places |= {
            name: (f"labels.also.{name}: it", f"labels.also.{name}", labels) for name, labels in self.also.items()
        }
        for name, (where, key, labels) in places.items():
            if name in CLASSES and not labels.classes:
                raise InputError(
                    f"params.yaml: {where} has classes, but {key}.kind is {labels.kind}; set it to categorical, and "
                    f"{key}.classes to [{', '.join(CLASSES[name])}]"
                )
