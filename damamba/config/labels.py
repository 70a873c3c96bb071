"""What is annotated: a number, classes in an order, or classes without one."""

from functools import cached_property
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from damamba.config.base import Section

LabelKind = Literal["continuous", "ordinal", "categorical"]
MOST_CLASSES = 64


def _as_text(value: object) -> object:
    """YAML reads the class 1 as a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


ClassName = Annotated[str, BeforeValidator(_as_text), Field(pattern=r"^[\w][\w .+-]{0,63}$")]


class LabelParams(Section):
    """Section `labels`: the kind of the labels of all corpora."""

    kind: LabelKind = "continuous"
    """``continuous``: numbers in [0, 1]; ``ordinal``: classes from low to high; ``categorical``: classes."""
    classes: tuple[ClassName, ...] = ()
    """Names of the classes as in the label files, in their order; none for continuous labels."""
    ignored: tuple[ClassName, ...] = ()
    """Further names in the label files that count as not annotated."""

    @cached_property
    def numbers(self) -> dict[str, float]:
        """Name of a class in small letters -> its number; NaN for what is ignored."""
        known = {name.casefold(): float(i) for i, name in enumerate(self.classes)}
        return {**dict.fromkeys((name.casefold() for name in self.ignored), float("nan")), **known}

    @model_validator(mode="after")
    def _consistent(self) -> "LabelParams":
        if self.kind == "continuous" and (self.classes or self.ignored):
            raise ValueError("classes and ignored are for kind: ordinal or categorical; empty them, or set the kind")
        if self.kind != "continuous" and not 2 <= len(self.classes) <= MOST_CLASSES:
            raise ValueError(f"classes: {self.kind} labels have 2 to {MOST_CLASSES} classes; list them in their order")
        if len(self.numbers) < len(self.classes) + len(self.ignored):
            raise ValueError("classes and ignored: two names are equal but for capitals; every name stands once")
        return self


CONTINUOUS = LabelParams()
