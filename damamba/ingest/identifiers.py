"""Identifiers that the manifest allows, for names in any script: different names have different identifiers."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Hashable, Mapping
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)
MOST = 64
"""Characters of an identifier."""
DIGITS = 6
"""Of the hash that distinguishes names with the same letters."""


def identifiers(names: Mapping[Key, str]) -> dict[Key, str]:
    """An identifier for each name: letters, digits, '.', '_' and '-', at most `MOST`.

    A name that loses a letter, such as one in another script, or that would become the same as another (in capital or
    small letters) gets a hash of the name at its end. The same names always get the same identifiers.

    Args:
        names: What is named -> its name; different keys have different identifiers.
    """
    plain = {key: _plain(name) for key, name in names.items()}
    taken = Counter(short.lower() for short, _ in plain.values())
    exact = Counter(name.lower() for key, name in names.items() if name == plain[key][0])
    found = {}
    for key, (short, complete) in plain.items():
        is_name = names[key] == short and exact[short.lower()] == 1
        if complete and (is_name or taken[short.lower()] == 1):
            found[key] = short
        else:
            digest = hashlib.sha256(f"{names[key]}\n{key}".encode(errors="surrogateescape")).hexdigest()[:DIGITS]
            found[key] = f"{short[: MOST - DIGITS - 1]}-{digest}" if short else f"id-{digest}"
    return found


def _plain(name: str) -> tuple[str, bool]:
    """The name in ASCII letters, and whether none was lost."""
    apart = unicodedata.normalize("NFKD", name)
    letters = "".join(char for char in apart if not unicodedata.combining(char))
    lost = any(char.isalnum() and not char.isascii() for char in letters)
    short = re.sub(r"[^A-Za-z0-9._-]+", "-", letters).strip("._-")
    short = re.sub(r"\.label$", "-label", short, flags=re.IGNORECASE)  # X.label is a file of participant X
    return short[:MOST].rstrip("._-"), bool(short) and not lost and len(short) <= MOST
