"""Texts of label files as the numbers of their classes."""

from damamba.config import LabelParams
from damamba.console import InputError
from damamba.corpus.exchange import parse_number
from damamba.corpus.labels import INVALID


def parse_label(text: str, labels: LabelParams) -> float | None:
    """Number of the class that a text names, whatever its capitals; NaN where there is no label; None if unknown."""
    word = text.strip().casefold()
    if word in labels.numbers:
        return labels.numbers[word]
    if INVALID.match(text):
        return float("nan")
    try:
        number = parse_number(text)
    except ValueError:
        return None
    return labels.numbers.get(str(int(number))) if number.is_integer() else None  # spreadsheets write 1 as 1.0


def unknown_class(place: str, text: str, labels: LabelParams) -> InputError:
    """One line about a text that names no class."""
    return InputError(
        f"{place}: {text[:40]!r} is not in labels.classes ({', '.join(labels.classes)}); correct the file, add "
        "the class, or name it in labels.ignored, so that it counts as not annotated"
    )
