"""A proposal merged into the manifest that is there: what somebody wrote into it stays."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

from damamba.corpus.manifest import label_files
from damamba.corpus.manifest_csv import ManifestRow, row_key
from damamba.ingest.proposal import with_splits


@dataclass(frozen=True)
class Merged:
    """The rows of the proposal that are new, and the fields of old rows that are filled in."""

    new: list[ManifestRow]
    filled: dict[str, dict[str, str]]
    """`row_key` -> column -> value, for columns that are empty, and new streams."""
    notes: list[str]


def merge_proposal(root: Path, manifest: Path, there: Sequence[ManifestRow], proposed: Sequence[ManifestRow]) -> Merged:
    """What a proposal adds to a manifest.

    A video without a row gets one, and an empty `audio` or `label` is filled in, if the file has come since the
    manifest was last saved: what somebody removed or emptied stays so. Nothing else is changed.

    Args:
        root: Folder of the recordings.
        manifest: The file that is there.
        there: Its rows.
        proposed: A new proposal for all videos.
    """
    by_key = {_key(row): row for row in there if row.video or row.streams}
    n_rows = Counter(_key(row) for row in there)
    known = [(by_key[_key(row)], row) for row in proposed if _key(row) in by_key]
    saved = manifest.stat().st_mtime
    filled: dict[str, dict[str, str]] = {}
    notes = []
    for old, new in known:
        for column in ("audio", "label"):
            value = getattr(new, column)
            if not value or getattr(old, column) or n_rows[_key(old)] > 1:
                continue  # of a video with several people, nothing says whose it is
            names = [name for name, _ in label_files(value)] if column == "label" else [value]
            if all(_came_at(root / name) > saved for name in names):
                filled.setdefault(_key(old), {})[column] = value
                notes.append(f"{old.name}: {column} {value} is new, and is filled in")
            else:
                notes.append(f"{old.name}: {column} is empty; if it is wanted, write {value} into it")
        named = [one for one in old.streams.split(";") if one]
        if new_streams := [s for s in new.streams.split(";") if s and s not in named and _came_at(root / s) > saved]:
            filled.setdefault(_key(old), {})["streams"] = ";".join([*named, *new_streams])
            notes.append(f"{old.name}: streams {', '.join(new_streams)} are new, and are filled in")
    sessions = _renamed((old.session, new.session) for old, new in known)
    people = _renamed((old.person, new.person) for old, new in known)
    split_of = {row.session: row.split for row in there}
    taken = {row.name for row in there}
    added = []
    for row in proposed:
        if _key(row) in by_key:
            continue
        if max(_came_at(root / name) for name in (row.video or row.streams).split(";")) <= saved:
            notes.append(f"{_key(row)}: there is no row for it; if it is wanted, add one")
        else:
            session = sessions.get(row.session, row.session)
            participant = _free(session, row.participant, taken)
            taken.add(f"{session}/{participant}")
            names = {"session": session, "participant": participant, "person": people.get(row.person, row.person)}
            added.append(replace(row, **names, split=split_of.get(session, row.split)))
    complete = [replace(row, **filled.get(_key(row), {})) for row in there]
    new = with_splits([*complete, *added])[len(there) :]
    notes += [f"{row.name}: {_key(row)} is new; its row is added, split {row.split}" for row in new]
    return Merged(new, filled, notes)


def _free(session: str, participant: str, taken: Set[str]) -> str:
    """The participant's name, with a number where the session has one of that name."""
    tried = (participant, *(f"{participant[:60]}-{k}" for k in range(2, len(taken) + 3)))
    return next(name for name in tried if f"{session}/{name}" not in taken)


def _key(row: ManifestRow) -> str:
    return row_key(row.video, row.streams)


def _came_at(path: Path) -> float:
    """When a file came to its place, or was last changed."""
    status = path.stat()
    return max(status.st_mtime, status.st_ctime)


def _renamed(pairs: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """What each proposed name is called in the manifest, where all rows agree."""
    counts = Counter((new, old) for old, new in set(pairs))
    of_new = Counter(new for new, _ in counts)
    return {new: old for new, old in counts if of_new[new] == 1}
