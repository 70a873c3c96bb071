"""Weights in the binary format of CTranslate2.

Little-endian: version, name and revision of the specification, number of variables; of each variable its name, rank,
dimensions, type, number of bytes and values; then aliases. A text is its length, with the zero that ends it, and its
bytes.

Source:
    CTranslate2's ``model_spec.py``, version 6 of the format.
"""

import struct
from typing import Any

import numpy as np

VERSION = 6
TYPES = (np.float32, np.int8, np.int16, np.int32, np.float16)
"""By their number; bfloat16, which numpy lacks, is the next."""


def read_variables(content: bytes, below: str) -> dict[str, np.ndarray]:
    """Variables of a model.bin by name, for instance ``encoder/conv1/weight``, as they are stored.

    Args:
        content: Of the whole file.
        below: Names start with this; others are passed over.

    Raises:
        ValueError: It is not such a file, of another version, cut off, or has a variable of an unknown type.
    """
    reader = _Reader(content)
    version = reader.number("I")
    if version != VERSION:
        raise ValueError(f"not a CTranslate2 model of version {VERSION} (it starts with {version})")
    reader.text()
    reader.number("I")
    found = {}
    for _ in range(reader.number("I")):
        name = reader.text()
        shape = [reader.number("I") for _ in range(reader.number("B"))]
        kind, values = reader.number("B"), reader.take(reader.number("I"))
        if not name.startswith(below):
            continue
        if kind >= len(TYPES):
            raise ValueError(f"variable {name} has the unknown type {kind}")
        found[name] = np.frombuffer(values, np.dtype(TYPES[kind]).newbyteorder("<")).reshape(shape)
    return found


class _Reader:
    """Goes through bytes from front to back."""

    def __init__(self, content: bytes) -> None:
        self._rest = memoryview(content)

    def take(self, n: int) -> memoryview:
        if n > len(self._rest):
            raise ValueError(f"cut off: {n} bytes expected at the end, {len(self._rest)} found")
        taken, self._rest = self._rest[:n], self._rest[n:]
        return taken

    def number(self, code: str) -> Any:
        return struct.unpack(f"<{code}", self.take(struct.calcsize(f"<{code}")))[0]

    def text(self) -> str:
        return bytes(self.take(self.number("H"))).rstrip(b"\0").decode()
