"""Input that cannot be used, made by script, and the line that the user sees."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Make = Callable[[Path], list[str]]
"""Makes the files in an empty folder; returns the arguments of `damamba`, relative to the folder."""
SUMMARIES = re.compile(
    r"(1 problem; correct it|\d+ problems; correct them), then run again: damamba init .*"
    r"|.*: \d+ of \d+ participants cannot be scored, so this would not be the score of the corpus; .*"
)
"""Lines that may follow that of the problem."""


@dataclass(frozen=True)
class BadInput:
    """One malformed input."""

    name: str
    make: Make
    line: str
    """What the user sees after ``damamba: error: ``; ``…`` stands for what depends on the machine or on a library."""

    def __str__(self) -> str:
        return self.name

    def problem(self, code: int, errors: str) -> str:
        """What is wrong with the exit code and stderr of `damamba`; "" where they are as documented."""
        if code != 1:
            return f"exit code {code}: {errors[-300:]}"
        first, *more = errors.removeprefix("damamba: error: ").rstrip("\n").split("\n")
        if not re.fullmatch(".*".join(map(re.escape, self.line.split("…"))), first):
            return f"another line: {first}"
        if not first.isprintable():
            return f"not printable: {first!r}"
        return next((f"a further line: {line}" for line in more if not SUMMARIES.fullmatch(line)), "")


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
