"""Feed a reader with malformed files and check three properties.

A reader returns a result or raises an `InputError`; it terminates; and it allocates at most four times the file's size
and a fixed base. libFuzzer (atheris) chooses files by the branches that they reach, and limits time and memory.
"""

import random
import re
import resource
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

import atheris

from damamba.console import InputError

MAX_TIMES = 4
BASE_BYTES = 4 << 20
"""Blocks, parser and messages, whatever the file."""
ADDRESS_BYTES = 8 << 30
MAX_FILE_BYTES = 1 << 16
MAX_MESSAGE = 1 << 18
SEPARATOR = b"\0"
"""Between the files of a pair; no XML has it."""
WORDS = [b"-1", b"0", b"1", b"2", b"1e308", b"-1e308", b"nan", b"inf", b"99999999999999999999", b"4294967296", b"0.5"]
WORDS += [
    b"",
    b" ",
    b";",
    b",",
    b"\n",
    b'"',
    b"BINARY",
    b"ASCII",
    b"FLOAT",
    b"BOOL",
    b"FREE",
    b"DISCRETE",
    b"CONTINUOUS",
]
VALUE = re.compile(rb'"[^"<>]*"|[-+.\w]+')
DEFAULTS = [f"-max_len={MAX_FILE_BYTES}", "-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1"]


def fuzz(read: Callable[[Path], object], names: Sequence[str], seeds: Sequence[Sequence[bytes]]) -> None:
    """Run until the limits of the command line; never returns.

    Args:
        read: Reads the files below a folder; it may raise `InputError` and check what it got.
        names: The files' names; what libFuzzer makes is divided among them.
        seeds: Contents of good files to begin with.
    """
    name = Path(sys.argv[0]).stem
    folder = Path(tempfile.gettempdir()) / f"damamba-{name}"
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(SEPARATOR.join(seed))
    files = folder / "files"
    files.mkdir(exist_ok=True)

    def one(data: bytes) -> None:
        for file, content in zip(names, _divided(data, len(names)), strict=True):
            (files / file).write_bytes(content)
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        try:
            read(files)
        except InputError as error:
            _check_message(str(error), files)
        _, peak = tracemalloc.get_traced_memory()
        if peak - before > MAX_TIMES * len(data) + BASE_BYTES:
            raise MemoryError(f"{peak - before} bytes for a file of {len(data)}")

    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_BYTES, ADDRESS_BYTES))
    tracemalloc.start()
    for seed in seeds:
        one(SEPARATOR.join(seed))  # what is imported or compiled once counts for no file
    options = [*DEFAULTS, f"-artifact_prefix={folder}/"]
    atheris.Setup([sys.argv[0], *options, *sys.argv[1:], str(corpus)], one, custom_mutator=_mutate)
    atheris.Fuzz()


def _divided(data: bytes, parts: int) -> list[bytes]:
    pieces = data.split(SEPARATOR, parts - 1)
    return pieces + [b""] * (parts - len(pieces))


def _check_message(message: str, files: Path) -> None:
    if str(files) not in message or len(message) > MAX_MESSAGE:
        raise AssertionError(f"names no file, or is too long ({len(message)}): {message[:500]!r}")


def _mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Half the time bits and bytes as libFuzzer does, else a value in quotes or a number becomes another one."""
    chance = random.Random(seed)
    places = list(VALUE.finditer(data[:MAX_FILE_BYTES])) if chance.random() < 0.5 else []
    if not places:
        return atheris.Mutate(data, max_size)
    place = chance.choice(places)
    word = chance.choice([*WORDS, chance.choice(places).group().strip(b'"')])
    if place.group().startswith(b'"'):
        word = b'"' + word + b'"'
    return (data[: place.start()] + word + data[place.end() :])[:max_size]
