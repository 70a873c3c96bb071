"""What is annotated: numbers, classes in an order, or classes without one; of one thing or of several."""

from functools import cached_property
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from damamba.config.base import Section

LabelKind = Literal["continuous", "ordinal", "categorical"]
MOST_CLASSES = 64
MOST_LABELS = 16
MAIN = ""
"""Name of the label that stands at the top of the section `labels`."""


def _as_text(value: object) -> object:
    """YAML reads the class 1 as a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


ClassName = Annotated[str, BeforeValidator(_as_text), Field(pattern=r"^[\w][\w .+-]{0,63}$")]


LabelName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,31}$")]
"""Of a further label: part of names of columns and files."""


class LabelParams(Section):
    """The kind of one label, in all corpora."""

    kind: LabelKind = "continuous"
    """``continuous``: numbers in [0, 1]; ``ordinal``: classes from low to high; ``categorical``: classes."""
    classes: tuple[ClassName, ...] = ()
    """Names of the classes as in the label files, in their order; none for continuous labels."""
    ignored: tuple[ClassName, ...] = ()
    """Further names in the label files that count as not annotated."""

    @property
    def every(self) -> "dict[str, LabelParams]":
        """All labels by name; this one is `MAIN`."""
        return {MAIN: self}

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
TAKEN = ("also", "engagement", "label", "time_s", "valid", "prediction")
"""Names that columns and folders beside a label have."""


class LabelsParams(LabelParams):
    """Section `labels`: the label that is trained, and others that the same model learns."""

    also: dict[LabelName, LabelParams] = Field(default_factory=dict, max_length=MOST_LABELS)
    """Further labels by name; a participant may have one and lack another. Each needs a loss with this `label`."""

    @property
    def every(self) -> dict[str, LabelParams]:
        """All labels by name, that of the top first, as `MAIN`."""
        return {MAIN: LabelParams(kind=self.kind, classes=self.classes, ignored=self.ignored), **self.also}

    @model_validator(mode="after")
    def _names(self) -> "LabelsParams":
        for name in self.also:
            if name.lower() in TAKEN:
                raise ValueError(f"also: {name} is the name of something else in tables of labels; rename it")
        if len({name.lower() for name in self.also}) < len(self.also):
            raise ValueError("also: two names are equal but for capitals; every label stands once")
        return self
