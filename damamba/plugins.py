"""Find a cue's extractor, an architecture, a corpus source, a metric or a loss by its name.

A bare name is a file of the folder that holds all of its kind. A name with dots is a module of one's own, which Python
can import: ``extractor: my_project.gaze``.
"""

import importlib
import importlib.util
import inspect
import pkgutil
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from damamba.console import InputError

T = TypeVar("T")


@cache
def names(folder: str) -> tuple[str, ...]:
    """Names that `find` knows in a package; the package's modules are not imported."""
    top, *inner = folder.split(".")
    package = importlib.util.find_spec(top)  # of an inner package it would import the outer ones
    if package is None or package.origin is None:
        raise ValueError(f"{folder} is not a package")
    modules = pkgutil.iter_modules([str(Path(package.origin).parent.joinpath(*inner))])
    return tuple(sorted(module.name for module in modules if not module.name.startswith("_") and module.name != "base"))


def short(name: str) -> str:
    """The last part of a dotted name: ``gaze`` of ``my_project.gaze``."""
    return name.rpartition(".")[2]


def module_of(folder: str, name: str) -> str:
    """Dotted path of the module that `name` means."""
    return name if "." in name else f"{folder}.{name}"


def find(folder: str, name: str, base: type[T]) -> type[T]:
    """The class called `name`: the one subclass of `base` that its module defines.

    Args:
        folder: Package whose modules are found by their bare names.
        name: A module of `folder`, or the dotted path of a module of one's own.
        base: What the class must derive from.

    Raises:
        InputError: There is no such module, it cannot be imported, or it does not define exactly one such class.
    """
    defined = [kind for kind in _classes(folder, name) if issubclass(kind, base)]
    if len(defined) != 1:
        raise _not_one(folder, name, base.__name__, defined)
    return defined[0]


def part(folder: str, name: str) -> type[Any]:
    """The class called `name`, whatever its base: the one with `Params` in its module; errors as of `find`."""
    defined = [kind for kind in _classes(folder, name) if hasattr(kind, "Params")]
    if len(defined) != 1:
        raise _not_one(folder, name, "class with `Params`", defined)
    return defined[0]


def settings_of(folder: str, name: str) -> type[Any]:
    """`Params` of the class called `name`: the pydantic model that checks its settings; errors as of `find`."""
    return part(folder, name).Params


def made(folder: str, name: str, settings: Mapping[str, Any]) -> Any:
    """An instance of the class called `name`, with settings that its `Params` accepts; errors as of `find`."""
    kind = part(folder, name)
    return kind(kind.Params.model_validate(settings))


def _classes(folder: str, name: str) -> list[type[Any]]:
    """Classes that a module defines and that can be made."""
    module = module_of(folder, name)
    if "." not in name and name not in names(folder):
        raise InputError(
            f"{name!r}: there is no {folder.replace('.', '/')}/{name}.py; there are {', '.join(names(folder))}; "
            "name a module of your own by its dotted path, such as my_project.gaze"
        )
    try:
        imported = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # the module is there, and needs another that is not
        raise InputError(
            f"{name!r}: there is no module {error.name}; put its folder on PYTHONPATH, or correct the name"
        ) from None
    return [
        kind
        for _, kind in inspect.getmembers(imported, inspect.isclass)
        if kind.__module__ == module and not inspect.isabstract(kind)
    ]


def _not_one(folder: str, name: str, wanted: str, defined: Sequence[type[Any]]) -> InputError:
    found = ", ".join(kind.__name__ for kind in defined) or "none"
    return InputError(f"{name!r}: {module_of(folder, name)} must define exactly one {wanted}; it defines {found}")
