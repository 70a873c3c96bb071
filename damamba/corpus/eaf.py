"""Annotation documents of ELAN (``.eaf``): tiers of texts over stretches of time.

pympi-ling, the reader that most people use, hands the file to the standard library's parser with document types and
entities allowed, and answers a missing attribute with a KeyError; so the little that is needed is read here.

Source: ELAN Annotation Format 3.0, https://www.mpi.nl/tools/elan/EAF_Annotation_Format_3.0_and_ELAN.pdf; of
TIME_ORIGIN, ELAN's players (mpi.eudico.client.annotator.player): a medium stands at the document's time + its offset.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from mimetypes import MimeTypes
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote
from xml.etree import ElementTree

from damamba.console import InputError
from damamba.corpus.exchange import Attributes, End, Start, scan_xml, xml_bytes
from damamba.files import replace_file

MAX_BYTES = 1 << 24
"""Hours of annotation in dozens of tiers take a few MB."""
MAX_MS = 1 << 42
MAX_TIERS = 1000
MAX_REFERENCES = 16
SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
SCHEMA_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
DATE = "1970-01-01T00:00:00+00:00"
"""ELAN wants one; a fixed one, so that the same annotation gives the same bytes."""

MEDIA_TYPES = MimeTypes()
"""Python's own table, which is the same on every computer."""


class Stretch(NamedTuple):
    """One annotation of a tier."""

    start_s: float
    """On the clock of the document's first medium."""
    end_s: float
    text: str


@dataclass(frozen=True)
class Tier:
    """A tier's annotations, by time."""

    name: str
    stretches: tuple[Stretch, ...]
    annotator: str = ""


class _Found(NamedTuple):
    """An annotation whose times are not known yet; small, for there may be many."""

    name: str
    first: str
    """Time slot where it begins; of one that refers to another: the other's name."""
    last: str
    """Time slot where it ends; "" of one that refers to another."""
    text: str


class _Document:
    """Takes what the parser meets."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.origin_ms: int | None = None
        self.slots_ms: dict[str, int | None] = {}
        self.tiers: list[tuple[str, str, list[_Found]]] = []
        self.pending: tuple[str, str, str] | None = None

    def start(self, event: Start) -> None:
        found = Attributes(self.path, event.tag, event.attributes)
        match event.tag:
            case "HEADER":
                units = event.attributes.get("TIME_UNITS", "milliseconds")
                if units != "milliseconds":
                    raise InputError(f"{self.path}: times in {units[:40]}; milliseconds are read: save it with ELAN 5+")
            case "MEDIA_DESCRIPTOR" if self.origin_ms is None:
                self.origin_ms = self._ms(found, "TIME_ORIGIN", -MAX_MS) or 0
            case "TIME_SLOT":
                self.slots_ms[found.text("TIME_SLOT_ID")] = self._ms(found, "TIME_VALUE", 0)
            case "TIER":
                if len(self.tiers) == MAX_TIERS:
                    raise InputError(f"{self.path}: more than {MAX_TIERS} tiers; export the ones you need from ELAN")
                self.tiers.append((found.text("TIER_ID"), event.attributes.get("ANNOTATOR", ""), []))
            case "ALIGNABLE_ANNOTATION":
                slots = found.text("TIME_SLOT_REF1"), found.text("TIME_SLOT_REF2")
                self.pending = (found.text("ANNOTATION_ID"), *slots)
            case "REF_ANNOTATION":
                if "PREVIOUS_ANNOTATION" in event.attributes:
                    raise InputError(
                        f"{self._place()}: annotations that divide another one have no times of their own; "
                        "copy the tier to an independent one in ELAN"
                    )
                self.pending = found.text("ANNOTATION_ID"), found.text("ANNOTATION_REF"), ""

    def end(self, event: End) -> None:
        if event.tag == "ANNOTATION_VALUE" and self.pending:
            if not self.tiers:
                raise InputError(f"{self.path}: an annotation outside any tier; save it with ELAN")
            self.tiers[-1][2].append(_Found(*self.pending, event.text))
            self.pending = None

    def _ms(self, found: Attributes, name: str, least: int) -> int | None:
        return found.integer(name, least, MAX_MS) if name in found.values else None

    def _place(self) -> str:
        return f"{self.path}, tier {self.tiers[-1][0][:40]!r}" if self.tiers else str(self.path)


def read_eaf(path: Path) -> list[Tier]:
    """Tiers of a document, those without annotations too.

    Annotations that refer to another one have its times; a medium that was shifted in ELAN shifts them to its clock.

    Raises:
        InputError: No such file, too large, not EAF, or an annotation without times.
    """
    document = _Document(path)
    for event in scan_xml(path, "ANNOTATION_DOCUMENT", MAX_BYTES):
        if isinstance(event, Start):
            document.start(event)
        else:
            document.end(event)
    by_name: dict[str, _Found] = {}
    if any(not found.last for _, _, items in document.tiers for found in items):
        by_name = {found.name: found for _, _, items in document.tiers for found in items}
    tiers = []
    for name, annotator, items in document.tiers:
        place = f"{path}, tier {name[:40]!r}"
        stretches = sorted(Stretch(*_times_s(document, by_name, place, found), found.text) for found in items)
        tiers.append(Tier(name, tuple(stretches), annotator))
    return tiers


def _times_s(document: _Document, by_name: dict[str, _Found], place: str, found: _Found) -> tuple[float, float]:
    for _ in range(MAX_REFERENCES):
        if found.last:
            break
        if found.first not in by_name:
            raise InputError(
                f"{place}: refers to annotation {found.first[:40]!r}, which is not there; save it with ELAN"
            )
        found = by_name[found.first]
    else:
        raise InputError(f"{place}: annotations refer to each other in a circle; save it with ELAN")
    times_s = []
    for slot in (found.first, found.last):
        slot_ms = document.slots_ms.get(slot)
        if slot_ms is None:
            what = "has no time" if slot in document.slots_ms else "is not there"
            raise InputError(f"{place}: time slot {slot[:40]!r} {what}; align the annotation in ELAN")
        times_s.append((slot_ms + (document.origin_ms or 0)) / 1000)
    if times_s[0] >= times_s[1]:
        raise InputError(f"{place}: an annotation from {times_s[0]:g} to {times_s[1]:g} s; correct it in ELAN")
    return times_s[0], times_s[1]


def write_eaf(path: Path, tiers: Sequence[Tier], media: Sequence[str] = ()) -> None:
    """Write a document that ELAN opens; the same tiers give the same bytes.

    Args:
        path: Document.
        tiers: Each with a name of its own; times are rounded to milliseconds.
        media: Videos or sounds beside it, by file name, that ELAN opens with it.

    Raises:
        InputError: A name or text that XML cannot hold.
        ValueError: A stretch shorter than a millisecond.
    """
    instance = {f"{{{SCHEMA_INSTANCE}}}noNamespaceSchemaLocation": SCHEMA}
    ElementTree.register_namespace("xsi", SCHEMA_INSTANCE)
    root = ElementTree.Element(
        "ANNOTATION_DOCUMENT", {"AUTHOR": "damamba", "DATE": DATE, "FORMAT": "3.0", "VERSION": "3.0", **instance}
    )
    header = ElementTree.SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    for name in media:
        kind = MEDIA_TYPES.guess_type(name)[0] or "video/mp4"
        place = {"MEDIA_URL": f"file:///{quote(name)}", "RELATIVE_MEDIA_URL": f"./{quote(name)}"}
        ElementTree.SubElement(header, "MEDIA_DESCRIPTOR", {"MIME_TYPE": kind, **place})
    time_order = ElementTree.SubElement(root, "TIME_ORDER")
    moments: list[tuple[int, int]] = []  # (ms, number of the slot)
    annotations = 0
    for tier in tiers:
        attributes = {"LINGUISTIC_TYPE_REF": "default-lt", "TIER_ID": tier.name}
        if tier.annotator:
            attributes["ANNOTATOR"] = tier.annotator
        element = ElementTree.SubElement(root, "TIER", attributes)
        for stretch in tier.stretches:
            start_ms, end_ms = (math.floor(t_s * 1000 + 0.5) for t_s in stretch[:2])
            if not 0 <= start_ms < end_ms:
                raise ValueError(f"tier {tier.name}: {stretch} lasts less than a millisecond or begins before 0")
            annotations += 1
            slots = [2 * annotations - 1, 2 * annotations]
            moments += zip((start_ms, end_ms), slots, strict=True)
            references = {f"TIME_SLOT_REF{i}": f"ts{slot}" for i, slot in enumerate(slots, 1)}
            outer = ElementTree.SubElement(element, "ANNOTATION")
            inner = ElementTree.SubElement(
                outer, "ALIGNABLE_ANNOTATION", {"ANNOTATION_ID": f"a{annotations}", **references}
            )
            ElementTree.SubElement(inner, "ANNOTATION_VALUE").text = stretch.text
    for moment_ms, slot in sorted(moments):
        ElementTree.SubElement(time_order, "TIME_SLOT", {"TIME_SLOT_ID": f"ts{slot}", "TIME_VALUE": str(moment_ms)})
    ElementTree.SubElement(
        root,
        "LINGUISTIC_TYPE",
        {"GRAPHIC_REFERENCES": "false", "LINGUISTIC_TYPE_ID": "default-lt", "TIME_ALIGNABLE": "true"},
    )
    replace_file(path, xml_bytes(root))
