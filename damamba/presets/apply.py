"""Read presets, and write them into params.yaml without losing its comments."""

import copy
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML, YAMLError

from damamba.config import LABEL_RATE_HZ, Params, parse_section, read_text
from damamba.console import InputError
from damamba.files import whole_file

FOLDER = Path(__file__).parent
OPEN_SECTIONS = ("cues", "architectures", "losses", "model", "variants")
"""Sections whose keys are free; entries that a preset does not have are removed from them."""


def preset_names() -> list[str]:
    """All presets, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def read_preset(name: str) -> dict[str, Any]:
    """Everything that a preset sets, with the values of its `base`."""
    values = yaml.safe_load(_text(name))
    base = values.pop("base", None)
    return merged(read_preset(base), values) if base else values


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the values of `changes`, mapping by mapping."""
    result = dict(base)
    for key, new in changes.items():
        both = isinstance(new, Mapping) and isinstance(base.get(key), Mapping)
        result[key] = merged(base[key], new) if both else new
    return result


def write_presets(names: Sequence[str], path: Path) -> list[str]:
    """Write presets into a params.yaml, one after the other.

    Returns:
        Lines for the terminal: each key that changed, and what the presets are.

    Raises:
        InputError: The file is missing or not YAML, or the result would not be valid; nothing is written then.
    """
    editor = _editor()
    values = read_values(path)
    before = copy.deepcopy(values)
    for name in names:
        preset = read_preset(name)
        _set(values, preset, "")
        if "cues" in preset:  # as they stand in the preset, with its comments
            values = editor.load(_with_cues_of(_text(name), _dumped(editor, values)))
    _write(values, path, " ".join(names), "damamba preset --help: what each preset sets")
    changes = list(_differences(before, values, "")) or [f"{path} is already {' '.join(names)}"]
    return [*changes, *(f"{name}: {_description(name)}" for name in names)]


def write_cues(cues: Mapping[str, Mapping[str, Any]], root: str, path: Path) -> list[str]:
    """Write cues of one's own streams into a params.yaml, with the source and the grid that belong to them.

    Cues that read media leave the file; those of other streams of one's own stay.

    Args:
        cues: Name -> entry of the section `cues`.
        root: Folder of the recordings.
        path: The params.yaml.

    Returns:
        Lines for the terminal: each key that changed.

    Raises:
        InputError: As `write_presets`.
    """
    values = read_values(path)
    before = copy.deepcopy(values)
    there = {name: dict(cue) for name, cue in values["cues"].items() if cue.get("extractor") == "stream"}
    changes = {
        "corpus": {"sources": ["folder"], "folder": {"root": root}},
        "cues": there | {name: there.get(name, dict(cue)) for name, cue in cues.items()},
        "align": {"rate_hz": LABEL_RATE_HZ},
    }
    _set(values, changes, "")
    remedy = "variants or model.cues may name cues that are gone: correct them, or damamba preset long"
    _write(values, path, "the imported streams", remedy)
    return list(_differences(before, values, "")) or [f"{path} has these cues already"]


def read_values(path: Path) -> Any:
    """Sections of a params.yaml, with their comments; raises `InputError` where it is missing or not YAML."""
    try:
        values = _editor().load(read_text(path))
    except RecursionError:
        raise InputError(f"{path}: nested too deeply; expected sections of keys and values") from None
    except YAMLError as error:
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, Mapping):
        raise InputError(f"{path}: expected sections, found {type(values).__name__}")
    return values


def _write(values: Any, path: Path, what: str, remedy: str) -> None:
    """Write sections that were checked; raises `InputError` where they are not valid."""
    try:
        parse_section(Params, values, f"{path} with {what}").check_settings()
    except InputError as error:
        raise InputError(f"{error}\n{path} stays as it was; {remedy}") from None
    text = _with_comments_of(read_text(path), _dumped(_editor(), values))
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf8")


def _text(name: str) -> str:
    return (FOLDER / f"{name}.yaml").read_text(encoding="utf8")


def _description(name: str) -> str:
    """The comment at the head of a preset, on one line."""
    return " ".join(line[2:] for line in takewhile(lambda line: line.startswith("# "), _text(name).splitlines()))


def _editor() -> YAML:
    editor = YAML()
    editor.preserve_quotes = True
    editor.width = 120
    editor.indent(mapping=2, sequence=4, offset=2)
    editor.representer.add_representer(type(None), lambda it, _: it.represent_scalar("tag:yaml.org,2002:null", "null"))
    # 0.00005 and not 5e-05, which YAML 1.1 reads as text
    editor.representer.add_representer(
        float, lambda it, value: it.represent_scalar("tag:yaml.org,2002:float", f"{Decimal(repr(value)):f}")
    )
    return editor


def _dumped(editor: YAML, values: Any) -> str:
    stream = io.StringIO()
    editor.dump(values, stream)
    return stream.getvalue()


def _set(values: Any, preset: Mapping[str, Any], where: str) -> None:
    """Set the keys of `preset` in `values`; in an open section also remove all others."""
    if where.split(".")[0] in OPEN_SECTIONS:
        for key in [key for key in values if key not in preset]:
            del values[key]
    for position, (key, new) in enumerate(preset.items()):
        old = values.get(key)
        if key not in values:
            values.insert(position, key, new)
        elif isinstance(new, dict) and isinstance(old, dict):
            _set(old, new, f"{where}{key}.")
        elif isinstance(new, list) and isinstance(old, list):
            old[:] = new  # stays on one line or on several
        elif old != new:
            values[key] = new


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], where: str) -> Iterator[str]:
    for key in old:
        if key not in new:
            yield f"{where}{key}: removed"
    for key, value in new.items():
        if key not in old:
            yield f"{where}{key}: added: {_plain(value)}"
        elif isinstance(value, Mapping) and isinstance(old[key], Mapping):
            yield from _differences(old[key], value, f"{where}{key}.")
        elif old[key] != value:
            yield f"{where}{key}: {_plain(old[key])} -> {_plain(value)}"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _with_cues_of(source: str, text: str) -> str:
    """`text` with the lines of the section `cues` of `source`, comments included."""
    block = re.compile(r"^cues:.*\n(?:(?:(?:#.*)?\n)* .*\n)*", re.MULTILINE)
    cues = block.search(source)
    assert cues is not None
    return block.sub(lambda _: cues.group(), text, count=1)


def _with_comments_of(source: str, text: str) -> str:
    """`text` with the comments and blank lines that stand before each section of `source`.

    ruamel.yaml keeps them at the end of the section before, and loses them with its last entry.
    """
    section = re.compile(r"^((?:#.*\n|\n)*)(\w+):", re.MULTILINE)
    leading = {match[2]: match[1] for match in section.finditer(source)}
    return section.sub(lambda match: f"{leading.get(match[2], match[1])}{match[2]}:", text)
