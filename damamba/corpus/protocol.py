"""Which sessions are trained on and which are scored: the splits of the sources, or a declared departure from them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from damamba.config import ProtocolParams
from damamba.console import InputError
from damamba.corpus.manifest import Participant, conflicts

SessionKey = tuple[str, str]
"""(corpus, session)."""


def apply_protocol(participants: Sequence[Participant], params: ProtocolParams) -> tuple[Participant, ...]:
    """The same participants in the splits of the protocol.

    Adaptation: the named validation sessions become training data.
    Folds: every session with a label goes into a fold, whatever its split was; sessions that share a person go into
    the same fold. Fold `fold` is tested, the next one validates, the others train. Sessions without labels become
    test sessions.

    Raises:
        InputError: A session that does not exist or is not of the validation split, fewer groups of people than folds,
            or a person who would be in two splits.
    """
    rows = tuple(participants)
    if params.folds:
        rows = _in_folds(rows, params)
    elif params.adapt:
        rows = _adapted(rows, params.adapt)
    if problems := conflicts(rows, "params.yaml: corpus.protocol"):
        raise InputError("\n".join(problems))
    return rows


def _adapted(rows: tuple[Participant, ...], adapt: Sequence[str]) -> tuple[Participant, ...]:
    splits = {f"{p.corpus}/{p.session}": p.split for p in rows}
    validation = sorted(name for name, split in splits.items() if split == "val")
    for name in adapt:
        if splits.get(name) != "val":
            problem = f"is of the split {splits[name]}" if name in splits else "does not exist"
            raise InputError(
                f"params.yaml: corpus.protocol.adapt: session {name} {problem}; expected validation sessions: "
                f"{', '.join(validation) or 'there are none'}"
            )
    return tuple(replace(p, split="train") if f"{p.corpus}/{p.session}" in adapt else p for p in rows)


def _in_folds(rows: tuple[Participant, ...], params: ProtocolParams) -> tuple[Participant, ...]:
    labelled = [p for p in rows if p.labelled]
    sessions = {(p.corpus, p.session) for p in labelled}
    folds: dict[SessionKey, int] = {}
    sizes = [0] * params.folds
    for corpus in sorted({p.corpus for p in labelled}):
        corpus_sizes = [0] * params.folds
        in_corpus = [p for p in rows if p.corpus == corpus and (corpus, p.session) in sessions]
        for group in _groups_of_people(in_corpus):
            # the largest group first, each into the fold with the fewest sessions of this corpus
            fold = min(range(params.folds), key=lambda k: (corpus_sizes[k], sizes[k], k))
            corpus_sizes[fold] += len(group)
            sizes[fold] += len(group)
            folds |= dict.fromkeys(group, fold)
    if not all(sizes):
        raise InputError(
            f"params.yaml: corpus.protocol.folds: {params.folds} folds, but there are only {sum(map(bool, sizes))} "
            "groups of sessions without a common person; use fewer folds"
        )
    return tuple(replace(p, split=_split(folds.get((p.corpus, p.session)), params)) for p in rows)


def _split(fold: int | None, params: ProtocolParams) -> str:
    if fold is None or fold == params.fold:
        return "test"
    return "val" if fold == (params.fold + 1) % params.folds else "train"


def _groups_of_people(rows: Sequence[Participant]) -> list[list[SessionKey]]:
    """Sessions of a corpus in groups that share no labelled person, the largest first."""
    of_person: dict[str, list[SessionKey]] = defaultdict(list)
    labelled = {p.person for p in rows if p.labelled}
    for p in rows:
        if p.person not in labelled:
            continue  # without labels, never a target: a tutor may be in every fold
        of_person[p.person].append((p.corpus, p.session))
    group: dict[SessionKey, set[SessionKey]] = {(p.corpus, p.session): {(p.corpus, p.session)} for p in rows}
    for sessions in of_person.values():
        merged = set().union(*(group[session] for session in sessions))
        group |= dict.fromkeys(merged, merged)
    distinct = {id(members): sorted(members) for members in group.values()}
    return sorted(distinct.values(), key=lambda members: (-len(members), members))
