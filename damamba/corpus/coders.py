"""PInSoRo's public annotations: a YAML file a coder, with stretches of time for each child.

    purple:
      - goaloriented: [12.3, 15.8]
      - solitary: [12.3, 20.1]
    yellow: […]

Stretches of all constructs (task engagement, social engagement, social attitude) stand side by side. Times are seconds
since 1970, as published, or since the beginning of the recording. The former need the recording's ``start`` in the
``freeplay.bag.yaml`` beside the file; the ``timestamp`` in ``experiment.yaml`` is of another clock in some sessions.

Source: freeplay-sandbox/dataset, ``data/*/freeplay.annotations.*.yaml``.
"""

from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

import yaml

from damamba.config import LabelParams
from damamba.console import InputError
from damamba.corpus.exchange import regular_size
from damamba.corpus.label_values import parse_label, unknown_class
from damamba.corpus.release import CLASSES

MOST_BYTES = 1 << 21
"""A session's annotations have some 100 kB, and the parser takes a hundred times what it reads."""
EPOCH_S = 1e8
"""Later times count from 1970; three years is no recording."""
LATEST_S = 1e11
RECORDING = "freeplay.bag.yaml"
FORM = "expected {role: [{class: [start, end]}, …]} in seconds"


class CodedStretch(NamedTuple):
    """One class over a stretch of time."""

    start_s: float
    end_s: float
    value: float
    """Number of the class; NaN for what `labels.ignored` names."""
    place: str
    """File and entry, for messages."""


class _PlainLoader(yaml.SafeLoader):
    """Without aliases, with which a small file becomes a large one."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("an alias")
        return super().compose_node(parent, index)


def read_coder(path: Path, role: str, labels: LabelParams) -> list[CodedStretch]:
    """Stretches of the classes in `labels` for one child, in order; those of other constructs are left out.

    Raises:
        InputError: The file cannot be read, lacks the role, has an entry of another form or a class of no construct.
    """
    by_role = _loaded(path)
    if role not in by_role:
        raise InputError(f"{path}: no {role!r} in it; there are {', '.join(map(repr, by_role))[:80]}: {FORM}")
    if not isinstance(by_role[role], list):
        raise InputError(f"{path}: {role} is no list; {FORM}")
    others = {name for names in CLASSES.values() for name in names} - labels.numbers.keys()
    stretches = []
    for number, entry in enumerate(by_role[role], 1):
        place = f"{path}, {role}, entry {number}"
        name, start_s, end_s = _entry(entry, place)
        if name.casefold() in others:
            continue
        value = parse_label(name, labels)
        if value is None:
            raise unknown_class(place, name, labels)
        stretches.append(CodedStretch(start_s, end_s, value, place))
    return sorted(_on_the_recordings_clock(path, stretches))


def _loaded(path: Path) -> dict[Any, Any]:
    if regular_size(path) > MOST_BYTES:
        raise InputError(f"{path}: larger than {MOST_BYTES >> 20} MiB; {FORM}")
    try:
        loaded = yaml.load(path.read_text(encoding="utf-8"), _PlainLoader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise InputError(f"{path}: not plain YAML in UTF-8 ({' '.join(str(error).split())[:80]}); {FORM}") from None
    if not isinstance(loaded, dict):
        raise InputError(f"{path}: not a mapping; {FORM}")
    return loaded


def _entry(entry: object, place: str) -> tuple[str, float, float]:
    if isinstance(entry, dict) and len(entry) == 1:
        ((name, times),) = entry.items()
        if isinstance(times, list) and len(times) == 2 and all(_is_number(time) for time in times):
            return str(name), float(times[0]), float(times[1])
    raise InputError(f"{place}: {repr(entry)[:60]}; {FORM}")


def _is_number(value: object) -> TypeGuard[int | float]:
    """Whether it is a number of seconds; more than any clock shows are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LATEST_S


def _on_the_recordings_clock(path: Path, stretches: list[CodedStretch]) -> list[CodedStretch]:
    if not any(one.start_s > EPOCH_S for one in stretches):
        return stretches
    beside = path.with_name(RECORDING)
    began_s = _loaded(beside).get("start") if beside.is_file() else None
    if not _is_number(began_s):
        raise InputError(
            f"{path}: its times count from 1970, and {beside} has no number as start; put the beginning of the "
            "recording there, or write seconds from the beginning"
        )
    return [one._replace(start_s=one.start_s - began_s, end_s=one.end_s - began_s) for one in stretches]
