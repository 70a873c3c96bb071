"""Where the splits of the release lie, and which of their sessions are there."""

from dataclasses import dataclass, field
from pathlib import Path

from damamba.config import OfficialParams
from damamba.console import InputError
from damamba.corpus.release import CORPORA, FEATURES, LABELS, MEDIA, SESSIONS, Places


@dataclass(frozen=True)
class Tree:
    """One split on disk."""

    corpus: str
    split: str
    features: Path
    labels: Path
    """Root of the labels; that of the features where they lie beside them."""
    media: Path
    """The same of raw media."""
    sessions: tuple[str, ...] = ()
    """Of the official list, those that are there."""
    missing: tuple[str, ...] = ()
    """Those that are not."""
    strangers: dict[str, str] = field(default_factory=dict)
    """Folders of no official list -> why they are not read."""

    @property
    def name(self) -> str:
        """``corpus (split)``."""
        return f"{self.corpus} ({self.split})"

    @property
    def title(self) -> str:
        """For people."""
        return f"{CORPORA[self.corpus]} {self.split}"


def find_trees(params: OfficialParams) -> tuple[list[Tree], list[str]]:
    """Every split that is wanted, and one line for each that cannot be used.

    Raises:
        InputError: There is no release, or none of its splits is wanted.
    """
    root = Path(params.root)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; set corpus.official.root to the challenge's download")
    _check_places(params)
    trees, problems = [], []
    for corpus, splits in SESSIONS.items():
        for split in splits:
            try:
                if tree := _tree(params, corpus, split):
                    trees.append(tree)
            except InputError as error:
                problems.append(str(error))
    if not trees and not problems:
        raise InputError("params.yaml: corpus.official.features_at: every split is null; leave at least one in")
    return trees, problems


def _check_places(params: OfficialParams) -> None:
    for key in ("features_at", "labels_at", "media_at"):
        for corpus, splits in getattr(params, key).items():
            for split in splits:
                if split not in SESSIONS[corpus]:
                    there = " and ".join(SESSIONS[corpus])
                    raise InputError(
                        f"params.yaml: corpus.official.{key}.{corpus}.{split}: {CORPORA[corpus]} has no such split, "
                        f"only {there}; to train on some of its validation sessions: corpus.protocol.adapt"
                    )


def _tree(params: OfficialParams, corpus: str, split: str) -> Tree | None:
    given = params.features_at.get(corpus, {})  # type: ignore[call-overload]
    if split in given and given[split] is None:
        return None
    root = Path(params.root)
    places = [root / given[split]] if split in given else [root / p for p in FEATURES[params.layout][corpus][split]]
    features = next((place for place in places if place.is_dir()), None)
    if features is None:
        raise InputError(
            f"{' or '.join(map(str, places))}: no such folder; expected the sessions of {CORPORA[corpus]} {split}; "
            f"{root} holds {_listing(root)}. {_remedy(params, corpus, split)}"
        )
    apart = {
        "labels": _place(root, params.labels_at, LABELS, corpus, split, "labels_at"),
        "media": _place(root, params.media_at, MEDIA, corpus, split, "media_at"),
    }
    official = SESSIONS[corpus][split]
    there = {path.name for path in features.iterdir() if path.is_dir() and not path.name.startswith(".")}
    sessions = tuple(s for s in official if s in there)
    if not sessions:
        raise InputError(
            f"{features}: none of the {len(official)} sessions of {CORPORA[corpus]} {split} "
            f"({', '.join(official[:3])} …); found {_listing(features)}. {_remedy(params, corpus, split)}"
        )
    return Tree(
        corpus,
        split,
        features,
        apart["labels"] or features,
        apart["media"] or features,
        sessions,
        tuple(s for s in official if s not in there),
        _strangers(params, features, corpus, split, there - set(official)),
    )


def _place(root: Path, given: dict, usual: Places, corpus: str, split: str, key: str) -> Path | None:
    """A tree beside the features': as the user says, or as the release has it if it is there."""
    said = given.get(corpus, {}).get(split)
    if said is not None:
        if not (root / said).is_dir():
            raise InputError(f"{root / said}: no such folder; correct corpus.official.{key}.{corpus}.{split}")
        return root / said
    places = (root / place for place in usual.get(corpus, {}).get(split, ()))
    return next((place for place in places if place.is_dir()), None)


def _strangers(params: OfficialParams, features: Path, corpus: str, split: str, names: set[str]) -> dict[str, str]:
    """Folders that are not of this split: those of no list are left out, those of another split's are a mistake."""
    kin = ("noxi", "noxi_add") if corpus != "mpiigi" else ("mpiigi",)  # numbered together
    owner = {s: (c, other) for c in kin for other, listed in SESSIONS[c].items() for s in listed}
    shared = {
        (c, other)
        for c in kin
        for other in SESSIONS[c]
        for place in FEATURES[params.layout][c][other]
        if Path(params.root) / (params.features_at.get(c, {}).get(other) or place) == features  # type: ignore[call-overload]
    }
    found = {}
    for name in sorted(names):
        if name not in owner:
            found[name] = "in no official list of sessions"
        elif owner[name] not in shared:
            other, its = owner[name]
            raise InputError(
                f"{features / name}: session {name} is of {CORPORA[other]} {its}, but this is the folder of "
                f"{CORPORA[corpus]} {split}; two folders are swapped, or it was put here by mistake: move it"
            )
    return found


def _remedy(params: OfficialParams, corpus: str, split: str) -> str:
    root = Path(params.root)
    for layout, places in FEATURES.items():
        folders = [root / place for splits in places.values() for held in splits.values() for place in held]
        if layout != params.layout and sum(folder.is_dir() for folder in folders) > 2:
            return f"This is the tree of {layout}: set corpus.official.layout to {layout}"
    where = f"corpus.official.features_at.{corpus}.{split}"
    return f"Set {where} to their folder, or to null to go without them"


def _listing(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    return (", ".join(names[:6]) + (" …" if len(names) > 6 else "")) if names else "nothing"
