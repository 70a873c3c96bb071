"""Building blocks of parameters: types, the base class of sections, parsing with one line a problem."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from damamba.console import InputError

ARCHITECTURES = "damamba.model.architectures"
EXTRACTORS = "damamba.extractors"
LOSSES = "damamba.losses"
METRICS = "damamba.metrics"
SOURCES = "damamba.ingest.sources"
"""Folders in which a name of params.yaml is a file."""
LARGEST = 10**9
"""No whole number of params.yaml has a meaning beyond it."""
Positive = Annotated[int, Field(gt=0, le=LARGEST, strict=True)]
Pixels = Annotated[int, Field(gt=0, le=8192, multiple_of=4, strict=True)]
NonNegative = Annotated[int, Field(ge=0, le=LARGEST, strict=True)]
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Width = Annotated[int, Field(gt=0, le=2**20, strict=True)]
"""Channels of a layer, or frames that it sees."""
Layers = Annotated[int, Field(gt=0, le=64, strict=True)]
InnerShare = Annotated[float, Field(gt=0, lt=1)]
"""A share that is neither nothing nor all."""
Dropout = Annotated[float, Field(ge=0, lt=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Split = Literal["train", "val", "test"]
MergeMethod = Literal["mean", "ewe"]
LABEL_RATE_HZ = 25
SectionT = TypeVar("SectionT", bound=BaseModel)
LONGEST_SHOWN = 80
"""Characters of a wrong value that a message repeats."""


class Section(BaseModel):
    """Base of every section: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_switch_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse true and false where a number belongs: to Python they are 1 and 0."""
        kind = cls.model_fields[info.field_name or ""].annotation
        if isinstance(value, bool) and kind is not Any and bool not in (kind, *get_args(kind)):
            raise ValueError("this key is no switch; give another value than true or false")
        return value


def parse_section(kind: type[SectionT], values: Mapping[str, Any], where: str) -> SectionT:
    """Validate `values` as a `kind`; `where` names their place in messages.

    Raises:
        InputError: One line a problem, with the path of the key.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        lines = []
        problems = error.errors()
        for problem in problems:
            loc = problem["loc"]
            if any(other["loc"] != loc and other["loc"][: len(loc)] == loc for other in problems):
                continue  # such as a list that is too short without the entry that is wrong
            key = ".".join(map(_printable, problem["loc"])) or "(whole)"
            known = "" if problem["type"] != "extra_forbidden" else _hint(kind, problem["loc"])
            got = (
                ""
                if problem["type"] in ("extra_forbidden", "missing", "value_error")
                else f", got {_short(problem['input'])}"
            )
            lines.append(f"{where}: {key}: {problem['msg'].removeprefix('Value error, ')}{got}{known}")
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


def _printable(key: int | str) -> str:
    return str(key) if str(key).isprintable() else ascii(key)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


class _UniqueKeys(yaml.SafeLoader):
    """Refuses a key that stands twice in a mapping, of which YAML would keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            name = (key.tag, str(key.value))
            if name in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {_printable(key.value)} stands twice; remove one", key.start_mark
                )
            seen.add(name)
        return super().construct_mapping(node, deep)


def read_text(path: Path) -> str:
    """Text of a parameter file.

    Raises:
        InputError: There is no such file, it cannot be read, or it is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf8")
    except FileNotFoundError:
        raise InputError(
            f"{path}: not found; go to the folder of a project (damamba new FOLDER makes one) or to the checkout"
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 from byte {error.start} on; save the file as UTF-8") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; a text file is expected there") from None


def read_section(kind: type[SectionT], path: Path) -> SectionT:
    """Read a YAML file as a `kind`.

    Raises:
        InputError: As of `read_text` and `parse_section`; not YAML, or a key that stands twice.
    """
    try:
        values = yaml.load(read_text(path), _UniqueKeys)
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise InputError(f"{path}: nested too deeply; expected sections of keys and values") from None
    except ValueError as error:  # a date that does not exist, a number of thousands of digits
        raise InputError(f"{path}: not YAML: {error}") from None
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected sections, found {type(values).__name__}")
    return parse_section(kind, values, path.name)
