"""Recognise a feature file and read it."""

from functools import cache
from pathlib import Path
from typing import Any

from damamba import plugins
from damamba.console import InputError
from damamba.importing.feature_file import FeatureFile, ReadOptions
from damamba.importing.formats.base import Format, TableFormat
from damamba.importing.table import open_table

FORMATS = "damamba.importing.formats"


@cache
def formats() -> tuple[Format, ...]:
    """All formats, in the order in which they are tried."""
    kinds: list[type[Any]] = [plugins.find(FORMATS, name, Format) for name in plugins.names(FORMATS)]
    found: list[Format] = [kind() for kind in kinds]
    return tuple(sorted(found, key=lambda one: (one.order, one.title)))


def suffixes() -> list[str]:
    """Endings of all files that can be read."""
    return sorted({suffix for one in formats() for suffix in one.suffixes})


def read_file(path: Path, options: ReadOptions) -> FeatureFile:
    """Read a file in the format that it is recognised as.

    Raises:
        InputError: There is no such file, no format has its suffix, or it cannot be read.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    suffix = path.suffix.lower()
    mine = [one for one in formats() if suffix in one.suffixes]
    if not mine:
        raise InputError(f"{path}: {suffix or 'no suffix'} is not read; expected {', '.join(suffixes())}")
    table = open_table(path) if any(isinstance(one, TableFormat) for one in mine) else None
    return next(one for one in mine if one.recognises(path, table)).read(path, table, options)
