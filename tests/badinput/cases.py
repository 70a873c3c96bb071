"""Input that cannot be used, made by script, and the line that the user sees."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Make = Callable[[Path], list[str]]
"""Makes the files in an empty folder; returns the arguments of `damamba`, relative to the folder."""


@dataclass(frozen=True)
class BadInput:
    """One malformed input."""

    name: str
    make: Make
    line: str
    """What the user sees after ``damamba: error: ``; ``…`` stands for what depends on the machine or on a library."""

    def __str__(self) -> str:
        return self.name


def convert(file: str, content: bytes | str, *arguments: str) -> Make:
    """A file that `damamba convert` reads."""
    return files({file: content}, "convert", file, "out.csv", *arguments)


def files(contents: dict[str, bytes | str], *arguments: str) -> Make:
    """Files and the command that reads them."""

    def make(folder: Path) -> list[str]:
        for name, content in contents.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return list(arguments)

    return make
