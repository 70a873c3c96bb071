"""Building blocks of parameters: types, the base class of sections, parsing with one line a problem."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from damamba.console import InputError

ARCHITECTURES = "damamba.model.architectures"
EXTRACTORS = "damamba.extractors"
LOSSES = "damamba.losses"
METRICS = "damamba.metrics"
SOURCES = "damamba.ingest.sources"
"""Folders in which a name of params.yaml is a file."""
Positive = Annotated[int, Field(gt=0)]
Pixels = Annotated[int, Field(gt=0, multiple_of=4)]
NonNegative = Annotated[int, Field(ge=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Split = Literal["train", "val", "test"]
MergeMethod = Literal["mean", "ewe"]
LABEL_RATE_HZ = 25
SectionT = TypeVar("SectionT", bound=BaseModel)


class Section(BaseModel):
    """Base of every section: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


def parse_section(kind: type[SectionT], values: Mapping[str, Any], where: str) -> SectionT:
    """Validate `values` as a `kind`; `where` names their place in messages.

    Raises:
        InputError: One line a problem, with the path of the key.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            key = ".".join(map(str, problem["loc"])) or "(whole)"
            known = "" if problem["type"] != "extra_forbidden" else _hint(kind, problem["loc"])
            got = (
                ""
                if problem["type"] in ("extra_forbidden", "missing", "value_error")
                else f", got {problem['input']!r}"
            )
            lines.append(f"{where}: {key}: {problem['msg']}{got}{known}")
        raise InputError("\n".join(lines)) from None


def _hint(kind: type[BaseModel], location: tuple[int | str, ...]) -> str:
    """Keys that stand where an unknown one was found."""
    for key in location[:-1]:
        field = kind.model_fields.get(str(key))
        inner = field.annotation if field else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return ""
        kind = inner
    return f"; known keys: {', '.join(kind.model_fields)}"


def read_section(kind: type[SectionT], path: Path) -> SectionT:
    """Read a YAML file as a `kind`; raises `InputError` as `parse_section` does."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf8"))
    except FileNotFoundError:
        raise InputError(f"{path}: not found; run from the repository's root") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected sections, found {type(values).__name__}")
    return parse_section(kind, values, path.name)
