"""Folders of the splits of a release, and which of their sessions exist on disk."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from damamba.console import InputError
from damamba.corpus.release import (
    ANNOTATIONS,
    CORPORA,
    ENGAGEMENT,
    FEATURES,
    LABELS,
    MEDIA,
    N_SESSIONS,
    NUMBERED_TOGETHER,
    SESSIONS,
    ReleaseFolders,
)

GivenFolders = Mapping[Any, Mapping[Any, str | None] | None]
"""Corpus -> split -> folder that the user names, relative to the release's root or absolute."""


@dataclass(frozen=True)
class ReleaseLayout:
    """A release on disk, as the settings under ``corpus.official`` describe it."""

    root: Path
    year: int
    """Key of `FEATURES`."""
    features_at: GivenFolders = field(default_factory=dict)
    """Folders in place of those of `FEATURES`; None leaves the split, or the whole corpus, out."""
    labels_at: GivenFolders = field(default_factory=dict)
    """Folders of labels that lie neither beside the features nor where `LABELS` has them."""
    media_at: GivenFolders = field(default_factory=dict)
    """Folders of raw media that lie neither beside the features nor where `MEDIA` has them."""
    annotation: str = ENGAGEMENT
    """Which labels are read; corpora without them are not."""
    also: tuple[str, ...] = ()
    """Further labels that are read of the same participants, where they have them."""

    @property
    def corpora(self) -> tuple[str, ...]:
        """Corpora of this year that have the annotation."""
        return tuple(corpus for corpus in FEATURES[self.year] if self.annotation in ANNOTATIONS[corpus])

    def given(self, corpus: str, split: str) -> str | None:
        """Folder of the features that the user names."""
        return (self.features_at.get(corpus) or {}).get(split)

    def is_left_out(self, corpus: str, split: str) -> bool:
        """Whether the user wants to go without this split."""
        splits = self.features_at.get(corpus, {})
        return splits is None or (split in splits and splits[split] is None)

    def feature_folders(self, corpus: str, split: str) -> list[Path]:
        """Folders in which the sessions of a split may lie; the first one that exists counts."""
        given = self.given(corpus, split)
        names = FEATURES[self.year][corpus][split] if given is None else (given,)
        return [self.root / name for name in names]


@dataclass(frozen=True)
class ReleaseTree:
    """One split on disk."""

    corpus: str
    split: str
    features: Path
    labels: Path
    """Folder of the labels' sessions; equals `features` where labels lie beside them."""
    media: Path
    """Folder of the raw media's sessions; equals `features` where media lie beside them."""
    sessions: tuple[str, ...] = ()
    """Sessions of the official list that exist; of a corpus without a list, all folders."""
    missing: tuple[str, ...] = ()
    """Sessions of the official list that do not exist."""
    unlisted: tuple[str, ...] = ()
    """Folders that are in no official list."""

    @property
    def n_missing(self) -> int:
        """Sessions of the challenge's split that do not exist."""
        return max(N_SESSIONS[self.corpus][self.split] - len(self.sessions), 0)

    @property
    def name(self) -> str:
        """``corpus (split)``."""
        return f"{self.corpus} ({self.split})"

    @property
    def title(self) -> str:
        """The challenge's name of the corpus, and the split."""
        return f"{CORPORA[self.corpus]} {self.split}"


def find_trees(layout: ReleaseLayout) -> tuple[list[ReleaseTree], list[str]]:
    """Find every split that is wanted.

    Returns:
        The splits, and one line for each split that cannot be used.

    Raises:
        InputError: There is no release, no split is wanted, or a setting names a split that its corpus does not have.
    """
    if not layout.root.is_dir():
        raise InputError(
            f"{layout.root}: no such folder; put or link the challenge's download there, or set corpus.official.root"
        )
    if not layout.corpora:
        raise InputError(
            f"params.yaml: corpus.official: no corpus of the layout {layout.year} has the annotation "
            f"{layout.annotation}; set layout to {max(FEATURES)}, or annotation to {ENGAGEMENT}"
        )
    _check_given_splits(layout)
    trees, problems = [], []
    for corpus in layout.corpora:
        for split in N_SESSIONS[corpus]:
            if layout.is_left_out(corpus, split):
                continue
            try:
                trees.append(_find_tree(layout, corpus, split))
            except InputError as error:
                problems.append(str(error))
    if not trees and not problems:
        raise InputError("params.yaml: corpus.official.features_at: every split is null; leave at least one in")
    return trees, problems


def _check_given_splits(layout: ReleaseLayout) -> None:
    for key in ("features_at", "labels_at", "media_at"):
        for corpus, splits in getattr(layout, key).items():
            for split in splits or ():
                if split not in N_SESSIONS[corpus]:
                    existing = " and ".join(N_SESSIONS[corpus])
                    raise InputError(
                        f"params.yaml: corpus.official.{key}.{corpus}.{split}: {CORPORA[corpus]} has no such split, "
                        f"only {existing}; to train on some of its validation sessions: corpus.protocol.adapt"
                    )


def _find_tree(layout: ReleaseLayout, corpus: str, split: str) -> ReleaseTree:
    candidates = layout.feature_folders(corpus, split)
    features = next((folder for folder in candidates if folder.is_dir()), None)
    if features is None:
        raise InputError(
            f"{' or '.join(map(str, candidates))}: no such folder; expected the sessions of {CORPORA[corpus]} {split}; "
            f"{layout.root} contains {_listing(layout.root)}. {_remedy(layout, corpus, split)}"
        )
    labels = _folder_apart(layout.root, layout.labels_at, LABELS, corpus, split, "labels_at")
    media = _folder_apart(layout.root, layout.media_at, MEDIA, corpus, split, "media_at")
    existing = {path.name for path in features.iterdir() if path.is_dir() and not path.name.startswith(".")}
    unlisted = _unlisted(layout, features, corpus, split, existing)
    listed = corpus in SESSIONS
    official = SESSIONS[corpus][split] if listed else unlisted
    sessions = tuple(session for session in official if session in existing)
    expected = N_SESSIONS[corpus][split]
    if not sessions:
        examples = f" ({', '.join(official[:3])} …)" if official else ""
        raise InputError(
            f"{features}: none of the {expected} sessions of {CORPORA[corpus]} {split}{examples}; found "
            f"{_listing(features)}. {_remedy(layout, corpus, split)}"
        )
    if len(sessions) > expected:
        raise InputError(
            f"{features}: {len(sessions)} folders, but {CORPORA[corpus]} {split} has {expected} sessions; found "
            f"{_listing(features)}: move away what is not one of them"
        )
    return ReleaseTree(
        corpus,
        split,
        features,
        labels or features,
        media or features,
        sessions,
        missing=tuple(session for session in official if session not in existing),
        unlisted=unlisted if listed else (),
    )


def _folder_apart(
    root: Path, given: GivenFolders, usual: ReleaseFolders, corpus: str, split: str, key: str
) -> Path | None:
    """Folder of labels or media that do not lie beside the features: the user's, or the release's if it exists."""
    named = (given.get(corpus) or {}).get(split)
    if named is not None:
        if not (root / named).is_dir():
            raise InputError(f"{root / named}: no such folder; correct corpus.official.{key}.{corpus}.{split}")
        return root / named
    candidates = (root / name for name in usual.get(corpus, {}).get(split, ()))
    return next((folder for folder in candidates if folder.is_dir()), None)


def _unlisted(layout: ReleaseLayout, features: Path, corpus: str, split: str, names: set[str]) -> tuple[str, ...]:
    """Those of `names` that are in no official list; a session of another split is a mistake and refused."""
    owners = {
        session: (owner, its_split)
        for owner in next(together for together in NUMBERED_TOGETHER if corpus in together)
        for its_split, sessions in SESSIONS.get(owner, {}).items()
        for session in sessions
    }
    # several splits may share one folder: 2024 has both of MPIIGI in one
    sharing = {owner for owner in owners.values() if features in layout.feature_folders(*owner)}
    unlisted = []
    for name in sorted(names):
        if name not in owners:
            unlisted.append(name)
        elif owners[name] not in {*sharing, (corpus, split)}:
            owner, its_split = owners[name]
            raise InputError(
                f"{features / name}: session {name} is of {CORPORA[owner]} {its_split}, but this is the folder of "
                f"{CORPORA[corpus]} {split}; two folders are swapped, or it was put here by mistake: move it"
            )
    return tuple(unlisted)


def _remedy(layout: ReleaseLayout, corpus: str, split: str) -> str:
    folders_of = {
        year: {name for splits in corpora.values() for names in splits.values() for name in names}
        for year, corpora in FEATURES.items()
    }
    for year, names in folders_of.items():
        if sum((layout.root / name).is_dir() for name in names - folders_of[layout.year]) > 2:
            return f"This is the tree of {year}: set corpus.official.layout to {year}"
    where = f"corpus.official.features_at.{corpus}.{split}"
    return f"Set {where} to their folder, or to null to go without them"


def _listing(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    return (", ".join(names[:6]) + (" …" if len(names) > 6 else "")) if names else "nothing"
