"""Files from other tools: XML parsed within limits, numbers as people write them.

These files are not trusted: document types, entities and references to other files are refused, and there is a limit
on the size and on every construct with which a small file could fill the memory.

Source: https://github.com/tiran/defusedxml.
"""

import codecs
import os
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
"""Longest tag, comment or instruction; expat scans an unfinished one again with each block."""
MAX_DEPTH = 64
MAX_NAMES = 512
"""Different names of elements and attributes; the formats here use a few dozen, and the parser keeps each."""
MAX_TEXT = 1 << 16
"""Characters of one element's text."""
ENCODING_DECLARED = re.compile(rb"\A\s*<\?xml[^>]*\bencoding\b")
GROUPED = re.compile(r"[+-]?\d{1,3}((,\d{3})+\.\d*|(\.\d{3})+,\d*)")
"""Thousands in groups."""
WINDOWS_NUMBER = re.compile(r"(?P<sign>[+-]?)1[.,]#(?P<kind>INF|IND|QNAN|SNAN)\d*", re.IGNORECASE)
"""How older Windows programs print numbers that are not finite."""
FORBIDDEN = re.compile("[^\t\n\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class ElementStart(NamedTuple):
    """Start tag of an element."""

    tag: str
    attributes: dict[str, str]
    parent: str
    """Tag of the enclosing element, "" for the root."""


class ElementEnd(NamedTuple):
    """End tag of an element."""

    tag: str
    text: str
    """Characters directly inside it."""


Element = ElementStart | ElementEnd


@dataclass(frozen=True)
class Attributes:
    """Attributes of an element, converted to the types that they must have.

    Every method raises `InputError` with file, element and attribute if the attribute is missing or does not fit.
    """

    path: Path
    tag: str
    values: Mapping[str, str]

    def text(self, name: str) -> str:
        """The text without blanks around it."""
        if name not in self.values:
            raise InputError(f"{self.path}: <{self.tag}> has no {name}; fetch the file again, or add it")
        return self.values[name].strip()

    def one_of(self, name: str, known: tuple[Word, ...]) -> Word:
        """One of the words in `known`, in upper or lower case."""
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
        """Any number that `parse_number` reads, finite or not."""
        try:
            return parse_number(self.text(name))
        except ValueError:
            raise self._wrong(name, "expected a number") from None

    def _wrong(self, name: str, expected: str) -> InputError:
        return InputError(f"{self.path}: {name} of <{self.tag}> is {self.values[name][:40]!r}; {expected}")


class _Target:
    """Collects the parser's events and checks the limits."""

    def __init__(self, path: Path, root: str) -> None:
        self.path = path
        self.root = root
        self.events: list[Element] = []
        self.open: list[tuple[str, list[str]]] = []
        """Tag and pieces of text of each element that has not ended yet."""
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
                f"no tool writes such a <{self.root}> file: save or fetch it again"
            )
        self.events.append(ElementStart(tag, attributes, self.open[-1][0] if self.open else ""))
        self.open.append((tag, []))
        self.text_length = 0

    def data(self, text: str) -> None:
        """Called by the parser, for each piece of a text."""
        self.text_length += len(text)
        if self.text_length > MAX_TEXT:
            raise InputError(
                f"{self.path}: a text longer than {MAX_TEXT} characters in <{self.open[-1][0]}>; shorten it"
            )
        self.open[-1][1].append(text)

    def end(self, tag: str) -> None:
        """Called by the parser."""
        self.events.append(ElementEnd(tag, "".join(self.open.pop()[1])))
        self.text_length = 0

    def close(self) -> None:
        """Called by the parser."""


def scan_xml(path: Path, root: str, max_bytes: int) -> Iterator[Element]:
    """Parse XML block by block; memory does not grow with the file.

    Args:
        path: Regular file.
        root: Tag that the root element must have.
        max_bytes: A larger file is refused without reading it.

    Yields:
        Start and end tags, in the order of the file.

    Raises:
        InputError: The file is missing or not regular, is not XML, has another root, or exceeds a limit.
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
                    raise InputError(
                        f"{path}: a tag or comment longer than {TOKEN_BYTES} bytes; save or fetch it again"
                    )
                yield from target.events
                target.events.clear()
        parser.close()
        yield from target.events
    except defusedxml.DefusedXmlException:
        raise InputError(
            f"{path}: has a document type or entities, which are not allowed; save it without them"
        ) from None
    except ElementTree.ParseError as error:
        line, column = error.position
        what = ElementTree.ParseError.__str__(error).split(":")[0]
        raise InputError(
            f"{path}, line {line}, column {column + 1}: not XML ({what}); save or fetch it again"
        ) from None
    except (ValueError, LookupError) as error:
        raise InputError(f"{path}: not XML in a known encoding ({error}); save it in UTF-8") from None


def regular_size(path: Path) -> int:
    """Size of a regular file, bytes.

    Raises:
        InputError: There is no such file, or it is not a regular one, or may not be read.
    """
    if not path.is_file():
        raise InputError(f"{path}: {'not a regular file' if path.exists() else 'no such file'}")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path}: may not be read; change its permissions")
    return path.stat().st_size


def parse_number(text: str) -> float:
    """Parse 1234.5, but also 1,234.50, 1234,5 and 1.#INF: tools group thousands and follow the computer's language.

    Raises:
        ValueError: Not a number.
    """
    if "_" in text:
        raise ValueError(text)
    if windows := WINDOWS_NUMBER.fullmatch(text.strip()):
        return float(f"{windows['sign']}{'inf' if windows['kind'].upper() == 'INF' else 'nan'}")
    if "," in text and "." in text:
        if not GROUPED.fullmatch(text.strip()):
            raise ValueError(text)
        text = text.replace("," if text.index(",") < text.index(".") else ".", "")
    return float(text.replace(",", "."))


def _encoding(path: Path) -> str | None:
    """Windows-1252 for a file that declares no encoding and is not UTF-8, as NOVA on Windows writes; else None."""
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
    """Indented XML in UTF-8 with a newline at its end.

    Raises:
        InputError: A name or text has a character that XML does not allow.
    """
    for element in root.iter():
        for text in (*element.attrib.values(), element.text or ""):
            if FORBIDDEN.search(text):
                raise InputError(f"{text[:40]!r} has a character that XML does not allow; remove it")
    ElementTree.indent(root, indent)
    return ElementTree.tostring(root, encoding="utf-8") + b"\n"
