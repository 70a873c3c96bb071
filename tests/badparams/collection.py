"""All parameters that are refused: each is a params.yaml, and has what the one line about it says."""

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.conftest import FROZEN_PARAMS, frozen_values

SETTINGS = yaml.safe_load(Path(__file__).with_name("settings.yaml").read_text(encoding="utf8"))
TEXT = FROZEN_PARAMS.read_text(encoding="utf8")


@dataclass(frozen=True)
class BadParams:
    """One params.yaml that cannot be used."""

    name: str
    content: bytes | None
    """Of the file; None where a folder has its name."""
    says: str
    """Part of the line that the user sees after ``check: error: ``."""

    def make(self, folder: Path) -> None:
        """Write it into a folder."""
        if self.content is None:
            (folder / "params.yaml").mkdir()
        else:
            (folder / "params.yaml").write_bytes(self.content)

    def problem(self, code: int, errors: str) -> str:
        """What is wrong with the exit code and stderr of the stage check; "" where they are as documented."""
        if code != 1:
            return f"exit code {code}: {errors[-300:]}"
        if len(errors.splitlines()) != 1 or not errors.startswith("check: error: ") or not errors[:-1].isprintable():
            return f"not one line: {errors[-300:]}"
        return "" if self.says in errors else f"another line: {errors.strip()}"


def changed(key: str, value) -> str:
    """The default params.yaml with another value, or a new key."""
    values = frozen_values()
    *sections, last = key.split(".")
    inner = values
    for section in sections:
        inner = inner[section]
    inner[last] = value
    return yaml.safe_dump(values, allow_unicode=True)


FILES = {
    "Latin-1": ("preset: démo\n".encode("latin-1"), "not UTF-8 from byte 9 on; save the file as UTF-8"),
    "UTF-16": ("preset: demo\n".encode("utf-16"), "not UTF-8 from byte 0 on"),
    "zeros": (bytes(100), "not YAML: "),
    "nested": (b"a: " + b"[" * 600 + b"]" * 600, "nested too deeply"),
    "mappings": (b"{a: " * 600 + b"1" + b"}" * 600, "nested too deeply"),
    "duplicate section": (f"{TEXT}\ntrain: {{}}\n".encode(), "the key train stands twice; remove one"),
    "duplicate key": (TEXT.replace("\ntrain:\n", "\ntrain:\n  steps: 6\n").encode(), "the key steps stands twice"),
    "date": (b"a: 2001-99-99\n", "not YAML: "),
    "digits": (b"a: 1" + b"0" * 10_000, "not YAML: "),
    "python tag": (b"a: !!python/object/apply:os.system [id]\n", "not YAML: "),
    "number": (b"7\n", "expected sections, found int"),
    "empty": (b"", "expected sections, found NoneType"),
    "list for a section": (re.sub(r"(?m)^align:\n(  .*\n)+", "align: [1]\n", TEXT).encode(), "align: "),
    "key of escape codes": (TEXT.encode() + b'"\\e[2J\\nx": 1\n', r"'\x1b[2J\nx': Extra inputs"),
    "number as a key": (TEXT.encode() + b"1: 2\n", "1: Keys should be strings"),
}
FOLDER = "cannot be read: Is a directory; a text file is expected there"

CASES = [
    *(BadParams(f"{key}={value}"[:60], changed(key, value).encode(), says) for key, value, says in SETTINGS),
    *(BadParams(f"a file: {name}", content, says) for name, (content, says) in FILES.items()),
    BadParams("a folder", None, FOLDER),
]
