"""The `damamba` command: what is not a stage of the pipeline."""

import argparse
import copy
import io
import re
import signal
import sys
from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from damamba.commands import convert, init, plan, score, submit
from damamba.config import Params, parse_section
from damamba.console import InputError
from damamba.files import whole_file

PRESETS = Path(__file__).parent / "presets"
PARAMS = Path("params.yaml")


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(
        prog="damamba", description="Engagement estimation from conversation video and audio."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    names = sorted(path.stem for path in PRESETS.glob("*.yaml"))
    preset = commands.add_parser(
        "preset",
        help="write a set of parameters into params.yaml and show the difference",
        description="demo, smoke, paper and paper-25 set sizes; compact and upstream set the encoders' checkpoints; "
        "multimediate takes the streams of the challenge's release instead.",
    )
    preset.add_argument("names", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    preset.set_defaults(run=lambda options: write_presets(options.names, PARAMS))
    for command in (convert, init, plan, score, submit):
        command.add(commands)
    options = parser.parse_args()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `damamba … | head` ends in peace
    try:
        options.run(options)
    except InputError as error:
        print(f"damamba: error: {error}", file=sys.stderr)
        sys.exit(1)


def write_presets(names: list[str], path: Path) -> None:
    """Change `path` by the presets' keys, keep its comments; print each key that changed and what the presets are.

    Raises:
        InputError: The result would not be valid; nothing is written then.
    """
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.add_representer(type(None), lambda it, _: it.represent_scalar("tag:yaml.org,2002:null", "null"))
    try:
        text = path.read_text(encoding="utf8")
    except FileNotFoundError:
        raise InputError(f"{path}: not found; run from the repository's root") from None
    changes: list[str] = []
    notes: list[str] = []
    values = yaml.load(text)
    for name in names:
        preset = (PRESETS / f"{name}.yaml").read_text(encoding="utf8")
        notes.append(f"{name}: " + " ".join(line[2:] for line in takewhile(_is_comment, preset.splitlines())))
        overlay = YAML(typ="safe").load(preset)
        for section in overlay.pop("replace", ()):
            changes += [f"{section}.{key}: removed" for key in values[section] if key not in overlay[section]]
            changes += _overlay(copy.deepcopy(values[section]), overlay[section], f"{section}.")
            values = yaml.load(_with_section(_dumped(yaml, values), section, preset))
        changes += _overlay(values, overlay, "")
    parse_section(Params, values, f"{path} with {' '.join(names)}")
    with whole_file(path) as temporary:
        yaml.dump(values, temporary)
    print("\n".join([*(changes or [f"{path} is already {' '.join(names)}"]), *notes]))


def _is_comment(line: str) -> bool:
    return line.startswith("# ")


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, list) else value


def _dumped(yaml: YAML, values: Any) -> str:
    stream = io.StringIO()
    yaml.dump(values, stream)
    return stream.getvalue()


def _with_section(text: str, section: str, source: str) -> str:
    """`text` with the lines of a top-level section as they stand in `source`, comments and all."""
    block = re.compile(rf"^{re.escape(section)}:.*\n(?:(?:[ #].*)?\n)*(?<!\n\n)", re.MULTILINE)
    found = block.search(source)
    assert found is not None, section
    return block.sub(lambda _: found.group(), text, count=1)


def _overlay(values: Any, overlay: Mapping[str, Any], where: str) -> list[str]:
    """Set the keys of `overlay` in `values`; a line for each that changed."""
    changes = []
    for key, new in overlay.items():
        name = f"{where}{key}"
        old = values.get(key)
        if isinstance(new, dict) and isinstance(old, dict):
            changes += _overlay(old, new, f"{name}.")
        elif old != new:
            changes.append(f"{name}: {_plain(old)} -> {new}")
            if isinstance(new, list) and isinstance(old, list):
                old[:] = new  # on one line or several, as it was
            else:
                values[key] = new
    return changes
