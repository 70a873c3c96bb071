"""Files exchanged with other tools: XML read within limits, numbers as people write them.

What others hand over is not trusted: no document type, no entities, nothing outside the file, a cap on size and on
every construct that would let a small file fill the memory. Source: https://github.com/tiran/defusedxml.
"""

import codecs
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar
from xml.etree import ElementTree

import defusedxml
from defusedxml.ElementTree import XMLParser

from damamba.console import InputError

Word = TypeVar("Word", bound=str)
BLOCK_BYTES = 1 << 16
TOKEN_BYTES = 1 << 18
"""Longest tag, comment or instruction; expat looks at an unfinished one again with each block."""
MAX_DEPTH = 64
MAX_NAMES = 512
"""Different names of elements and attributes; the formats here know a few dozen, and the parser keeps each."""
MAX_TEXT = 1 << 16
"""Characters of one element's text."""
ENCODING_DECLARED = re.compile(rb"\A\s*<\?xml[^>]*\bencoding\b")
FORBIDDEN = re.compile("[^\t\n\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Start(NamedTuple):
    """An element begins."""

    tag: str
    attributes: dict[str, str]
    parent: str
    """Tag of the element around it, "" at the root."""


class End(NamedTuple):
    """An element ends."""

    tag: str
    text: str
    """Characters directly inside it."""


Event = Start | End


@dataclass(frozen=True)
class Attributes:
    """Attributes of an element, read as what they must be.

    Every method raises `InputError` with file, element and attribute where it is missing or something else.
    """

    path: Path
    tag: str
    values: Mapping[str, str]

    def text(self, name: str) -> str:
        """Without blanks around it."""
        if name not in self.values:
            raise InputError(f"{self.path}: <{self.tag}> has no {name}; fetch the file again, or add it")
        return self.values[name].strip()

    def one_of(self, name: str, known: tuple[Word, ...]) -> Word:
        """A word of `known`, in whatever case it stands there."""
        text = self.text(name)
        for word in known:
            if text.upper() == word:
                return word
        raise self._wrong(name, f"{', '.join(known)} can be read")

    def integer(self, name: str, least: int, most: int) -> int:
        """A whole number from `least` to `most`."""
        text = self.text(name)
        if not (text.isascii() and text.removeprefix("-").isdecimal() and len(text) < 20):
            raise self._wrong(name, "expected a whole number")
        if not least <= int(text) <= most:
            raise self._wrong(name, f"expected {least} to {most}")
        return int(text)

    def number(self, name: str) -> float:
        """Any number, also one that is not finite."""
        try:
            return float(self.text(name))
        except ValueError:
            raise self._wrong(name, "expected a number") from None

    def _wrong(self, name: str, expected: str) -> InputError:
        return InputError(f"{self.path}: {name} of <{self.tag}> is {self.values[name][:40]!r}; {expected}")


class _Target:
    """Collects what the parser meets, within the limits."""

    def __init__(self, path: Path, root: str) -> None:
        self.path = path
        self.root = root
        self.events: list[Event] = []
        self.open: list[tuple[str, list[str]]] = []
        self.text_length = 0
        self.names: set[str] = set()

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Called by the parser."""
        if not self.open and tag != self.root:
            raise InputError(f"{self.path}: expected XML with the root <{self.root}>, found <{tag[:40]}>")
        self.names.add(tag)
        self.names.update(attributes)
        if len(self.open) >= MAX_DEPTH or len(self.names) > MAX_NAMES:
            raise InputError(
                f"{self.path}: more than {MAX_DEPTH} elements inside each other or {MAX_NAMES} different names; "
                f"this is no <{self.root}> file that a tool would write"
            )
        self.events.append(Start(tag, attributes, self.open[-1][0] if self.open else ""))
        self.open.append((tag, []))
        self.text_length = 0

    def data(self, text: str) -> None:
        """Called by the parser, for a text in pieces."""
        self.text_length += len(text)
        if self.text_length > MAX_TEXT:
            raise InputError(f"{self.path}: a text longer than {MAX_TEXT} characters in <{self.open[-1][0]}>")
        self.open[-1][1].append(text)

    def end(self, tag: str) -> None:
        """Called by the parser."""
        self.events.append(End(tag, "".join(self.open.pop()[1])))
        self.text_length = 0

    def close(self) -> None:
        """Called by the parser."""


def scan_xml(path: Path, root: str, max_bytes: int) -> Iterator[Event]:
    """Read XML piece by piece; memory does not grow with the file.

    Args:
        path: File; anything but a regular file is refused.
        root: Tag that the document must have.
        max_bytes: Size above which the file is refused unread.

    Yields:
        Beginnings and ends of elements, in the order of the file.

    Raises:
        InputError: No such file, too large, not XML, another root, or one of the limits above.
    """
    size = regular_size(path)
    if size > max_bytes:
        raise InputError(f"{path}: {size} bytes; a <{root}> file has at most {max_bytes}: is it another kind of file?")
    target = _Target(path, root)
    parser = XMLParser(target=target, encoding=_encoding(path), forbid_dtd=True)
    fed = 0
    try:
        with path.open("rb") as stream:
            while block := stream.read(BLOCK_BYTES):
                parser.feed(block)
                fed += len(block)
                if fed - max(parser.parser.CurrentByteIndex, 0) > TOKEN_BYTES + BLOCK_BYTES:
                    raise InputError(f"{path}: a tag or comment longer than {TOKEN_BYTES} bytes")
                yield from target.events
                target.events.clear()
        parser.close()
        yield from target.events
    except defusedxml.DefusedXmlException:
        raise InputError(f"{path}: has a document type or entities, which are not read; save it without") from None
    except ElementTree.ParseError as error:
        line, column = error.position
        what = ElementTree.ParseError.__str__(error).split(":")[0]
        raise InputError(
            f"{path}, line {line}, column {column + 1}: not XML ({what}); save or fetch it again"
        ) from None
    except (ValueError, LookupError) as error:
        raise InputError(f"{path}: not XML in a known encoding ({error}); save it in UTF-8") from None


def regular_size(path: Path) -> int:
    """Bytes of a regular file.

    Raises:
        InputError: There is none.
    """
    if not path.is_file():
        raise InputError(f"{path}: {'not a regular file' if path.exists() else 'no such file'}")
    return path.stat().st_size


def parse_number(text: str) -> float:
    """1234.5, and also 1,234.50 or 1234,5: tools group thousands and follow the computer's language.

    Raises:
        ValueError: Anything else.
    """
    if "_" in text:
        raise ValueError(text)
    if "," in text and "." in text:
        text = text.replace("," if text.index(",") < text.index(".") else ".", "")
    return float(text.replace(",", "."))


def _encoding(path: Path) -> str | None:
    """Windows-1252 where the file declares nothing and is no UTF-8: NOVA writes so on Windows."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as stream:
        block = stream.read(BLOCK_BYTES)
        if ENCODING_DECLARED.match(block) or block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return None
        try:
            while block:
                decoder.decode(block)
                block = stream.read(BLOCK_BYTES)
        except UnicodeDecodeError:
            return "windows-1252"
    return None


def xml_bytes(root: ElementTree.Element, indent: str = "    ") -> bytes:
    """Indented XML in UTF-8 that ends with a line.

    Raises:
        InputError: A character that XML cannot hold, in a name or text.
    """
    for element in root.iter():
        for text in (*element.attrib.values(), element.text or ""):
            if FORBIDDEN.search(text):
                raise InputError(f"{text[:40]!r} has a character that XML cannot hold; leave it out")
    ElementTree.indent(root, indent)
    return ElementTree.tostring(root, encoding="utf-8") + b"\n"
