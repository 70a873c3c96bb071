"""Whose file it is: session, participant and stream, by its folders and name."""

import re
from dataclasses import dataclass
from pathlib import Path

from damamba.console import InputError
from damamba.corpus.manifest import NAME

FIELDS = ("session", "participant", "stream")
DEFAULT = "{session}/{participant}.{stream}.EXT, or {session}/{participant}.EXT"


@dataclass(frozen=True)
class Place:
    """Where a stream belongs."""

    session: str
    participant: str
    stream: str

    def file(self, root: Path) -> Path:
        """Its file below a folder of recordings."""
        return root / self.session / f"{self.participant}.{self.stream}.parquet"


def place_of(path: Path, pattern: str | None, given: dict[str, str | None], default_stream: str) -> Place:
    """Session, participant and stream of a file.

    Args:
        path: The file.
        pattern: How its path ends, such as ``{stream}/{session}_{participant}.csv``; None: `DEFAULT`.
        given: Field -> its value, which comes before the path's.
        default_stream: Name of the stream where nothing else has one.

    Raises:
        InputError: The path does not end so, or a name is missing or cannot be used.
    """
    found = _matched(path, pattern) if pattern else _usual(path)
    names = {field: given.get(field) or found.get(field) or "" for field in FIELDS}
    names["stream"] = names["stream"] or default_stream
    for field, name in names.items():
        if not NAME.fullmatch(name):
            what = f"{field} would be {name[:60]!r}" if name else f"nothing names its {field}"
            raise InputError(
                f"{path}: {what}; expected 1-64 letters, digits, '.', '_' or '-' in {pattern or DEFAULT}: give "
                f"--{field} NAME, or --as PATTERN for the paths of all files"
            )
    return Place(**names)


def _usual(path: Path) -> dict[str, str]:
    participant, _, stream = path.name.removesuffix(path.suffix).partition(".")
    return {"session": path.resolve().parent.name, "participant": participant, "stream": stream}


def _matched(path: Path, pattern: str) -> dict[str, str]:
    parts = re.split(r"(\{\w+\}|\*)", pattern)
    expression = ""
    for part in parts:
        field = part[1:-1] if part.startswith("{") and part.endswith("}") else ""
        if field and (field not in FIELDS or f"(?P<{field}>" in expression):
            raise InputError(f"--as {pattern}: {part} is not one of {{{'}, {'.join(FIELDS)}}}, or is there twice")
        expression += f"(?P<{field}>[^/]+?)" if field else "[^/]*?" if part == "*" else re.escape(part)
    found = re.search(f"(?:^|/){expression}$", path.resolve().as_posix())
    if not found:
        raise InputError(f"{path}: does not end in --as {pattern}; correct the pattern, or leave the file out")
    return found.groupdict()
