"""Groups of participants by the columns of the manifest, for scores by them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from damamba.console import InputError
from damamba.corpus.manifest import MOST_TEXT, Participant
from damamba.scoring.layout import MISSING
from damamba.scoring.participants import Key

GROUP_SIZE = "group_size"
"""Number of participants in the session, those without labels too."""
COLUMNS = ("role", "person", "language", "gender", "age")


def attributes(people: Iterable[Participant]) -> dict[Key, dict[str, str]]:
    """What people can be grouped by: key of each -> column -> value; "" where it is unknown.

    Raises:
        InputError: The manifest has a column of its own called `GROUP_SIZE`.
    """
    people = list(people)
    sizes = Counter((one.corpus, one.session) for one in people)
    if any(GROUP_SIZE in one.extra for one in people):
        raise InputError(f"manifest: the column {GROUP_SIZE} is counted, not read; rename or remove it")
    return {
        one.key: {
            **{name: getattr(one, name) for name in COLUMNS},
            **one.extra,
            GROUP_SIZE: str(sizes[one.corpus, one.session]),
        }
        for one in people
    }


def groups_of(
    people: Iterable[Participant], scored: Iterable[Key], columns: Sequence[str]
) -> dict[str, dict[str, list[Key]]]:
    """`grouped` scored participants, by `evaluate.by`.

    Args:
        people: The manifest's.
        scored: Those with scores.
        columns: `evaluate.by`.

    Raises:
        InputError: As of `attributes` and `grouped`, or somebody is not in the manifest.
    """
    if not columns:
        return {}
    known, scored = attributes(people), list(scored)
    if gone := [key for key in scored if key not in known]:
        raise InputError(f"data/corpus/manifest.jsonl: {'/'.join(gone[0])} was scored and is not in it; run: dvc repro")
    return grouped({key: known[key] for key in scored}, columns, "params.yaml: evaluate.by")


def grouped(
    known: Mapping[Key, Mapping[str, str]], columns: Sequence[str], where: str
) -> dict[str, dict[str, list[Key]]]:
    """Column -> value -> participants; values in their order, and `MISSING` at the end.

    Args:
        known: From `attributes`, of those who are grouped.
        columns: By which.
        where: Beginning of messages: what asked for the columns.

    Raises:
        InputError: No such column, or a value that cannot stand in a table.
    """
    there = list(dict.fromkeys(name for one in known.values() for name in one))
    groups: dict[str, dict[str, list[Key]]] = {}
    for column in columns:
        if column not in there:
            named = ", ".join(there) or "none, as there is no manifest"
            raise InputError(f"{where}: no column {column[:40]!r} in the manifest; there are {named}")
        by_value: dict[str, list[Key]] = defaultdict(list)
        for key, values in known.items():
            by_value[values.get(column) or MISSING].append(key)
        for value in by_value:
            if len(value) > MOST_TEXT or not value.isprintable() or "|" in value:
                raise InputError(
                    f"{where}: column {column}, {'/'.join(by_value[value][0])}: {value[:40]!r} cannot stand in a "
                    f"table; use up to {MOST_TEXT} printed characters without |"
                )
        groups[column] = {value: by_value[value] for value in sorted(by_value, key=_place)}
    return groups


def _place(value: str) -> tuple[int, float, str]:
    """Numbers by their size, then texts, then what is missing."""
    if value == MISSING:
        return 2, 0.0, ""
    try:
        return 0, float(value), value
    except ValueError:
        return 1, 0.0, value
