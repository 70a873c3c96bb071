"""Annotation documents of ELAN (``.eaf``): tiers of texts over stretches of time.

pympi-ling, the common reader, parses with document types and entities allowed and raises a KeyError for a missing
attribute. Only a small part of the format is needed, so it is parsed here.

Source: ELAN Annotation Format 3.0, https://www.mpi.nl/tools/elan/EAF_Annotation_Format_3.0_and_ELAN.pdf. TIME_ORIGIN
follows ELAN's players (mpi.eudico.client.annotator.player): time in a medium = time in the document + its offset.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from mimetypes import MimeTypes
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote
from xml.etree import ElementTree

from damamba.console import InputError
from damamba.corpus.exchange import Attributes, ElementEnd, ElementStart, scan_xml, xml_bytes
from damamba.files import replace_file

MAX_BYTES = 1 << 24
"""Hours of annotation in dozens of tiers take a few MB."""
MAX_MS = 1 << 42
MAX_TIERS = 1000
MAX_INNER = 1000
"""Time slots without a time inside one annotation."""
MAX_REFERENCES = 16
"""Length of a chain of annotations of which each refers to the next."""
SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
SCHEMA_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
NO_SLOT = "without a name"
DATE = "1970-01-01T00:00:00+00:00"
"""ELAN requires a date; it is fixed, so that the same annotation gives the same bytes."""

MEDIA_TYPES = MimeTypes()
"""Python's own table, without the computer's settings."""


class Stretch(NamedTuple):
    """One annotation of a tier."""

    start_s: float
    """On the clock of the document's first medium."""
    end_s: float
    text: str


@dataclass(frozen=True)
class Tier:
    """One tier of a document."""

    name: str
    stretches: tuple[Stretch, ...]
    """By time."""
    annotator: str = ""


class TierName(NamedTuple):
    """A tier, before its annotations are looked up."""

    name: str
    annotator: str
    n_annotations: int


class _Unaligned(NamedTuple):
    """An annotation before its times are looked up; a tuple, because there may be many."""

    name: str
    first: str
    """Time slot of its start; if it refers to another annotation, the name of that one."""
    last: str
    """Time slot of its end; "" if it refers to another annotation."""
    text: str
    divides: bool = False
    """Whether it divides another one without times of its own."""


class Document:
    """Tiers, annotations and time slots of a document.

    An annotation that refers to another one takes its times. If the first medium was shifted in ELAN, times are
    shifted to that medium's clock. A tier that is not asked for need not be sound.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.origin_ms: int | None = None
        self.slots_ms: dict[str, int | None] = {}
        self._tiers: list[tuple[str, str, list[_Unaligned]]] = []
        """Name, annotator and annotations of each tier."""
        self._pending: _Unaligned | None = None
        """Annotation whose text is still to come."""
        self._by_name: dict[str, _Unaligned] = {}
        self._spread_ms: dict[str, float] | None = None

    def start(self, event: ElementStart) -> None:
        """Take a start tag of the file."""
        attributes = Attributes(self.path, event.tag, event.attributes)
        match event.tag:
            case "HEADER":
                units = event.attributes.get("TIME_UNITS", "milliseconds")
                if units != "milliseconds":
                    raise InputError(f"{self.path}: times in {units[:40]}; expected milliseconds: save it with ELAN 5+")
            case "MEDIA_DESCRIPTOR" if self.origin_ms is None:
                self.origin_ms = self._ms(attributes, "TIME_ORIGIN", -MAX_MS) or 0
            case "TIME_SLOT":
                self.slots_ms[attributes.text("TIME_SLOT_ID")] = self._ms(attributes, "TIME_VALUE", 0)
            case "TIER":
                if len(self._tiers) == MAX_TIERS:
                    raise InputError(f"{self.path}: more than {MAX_TIERS} tiers; export the ones you need from ELAN")
                self._tiers.append(
                    (event.attributes.get("TIER_ID", "").strip(), event.attributes.get("ANNOTATOR", ""), [])
                )
            case "ALIGNABLE_ANNOTATION":
                name, *slots = (
                    event.attributes.get(key, "") for key in ("ANNOTATION_ID", "TIME_SLOT_REF1", "TIME_SLOT_REF2")
                )
                self._pending = _Unaligned(name, slots[0], slots[1] or NO_SLOT, "")
            case "REF_ANNOTATION":
                name, reference = (event.attributes.get(key, "") for key in ("ANNOTATION_ID", "ANNOTATION_REF"))
                self._pending = _Unaligned(name, reference, "", "", "PREVIOUS_ANNOTATION" in event.attributes)

    def end(self, event: ElementEnd) -> None:
        """Take an end tag of the file."""
        if event.tag == "ANNOTATION_VALUE" and self._pending:
            if not self._tiers:
                raise InputError(f"{self.path}: an annotation outside any tier; save it with ELAN")
            self._tiers[-1][2].append(self._pending._replace(text=event.text))
            self._pending = None

    @property
    def tiers(self) -> list[TierName]:
        """All tiers, with or without annotations, in the order of the file."""
        return [TierName(name, annotator, len(items)) for name, annotator, items in self._tiers]

    def tier(self, name: str) -> Tier:
        """The first tier of a name, its annotations by time.

        Raises:
            InputError: An annotation of this tier has no times.
        """
        _, annotator, items = next(tier for tier in self._tiers if tier[0] == name)
        if not self._by_name and any(not item.last for item in items):
            self._by_name = {item.name: item for _, _, others in self._tiers for item in others}
        place = f"{self.path}, tier {name[:40]!r}"
        if any(item.divides for item in items):
            raise InputError(
                f"{place}: annotations that divide another one have no times of their own; copy the tier to an "
                "independent one in ELAN"
            )
        if self._spread_ms is None:
            self._spread_ms = self._spread()
        stretches = sorted(Stretch(*self._times_s(place, item, self._spread_ms), item.text) for item in items)
        return Tier(name, tuple(stretches), annotator)

    def _spread(self) -> dict[str, float]:
        """Times of slots without one, in ms: ELAN spreads the inner slots of a divided annotation evenly.

        Annotations that share such a slot follow each other; their first and last slots have times.
        """
        aligned = [item for _, _, items in self._tiers for item in items if item.last]
        after = {item.first: item.last for item in aligned}
        spread_ms: dict[str, float] = {}
        for item in aligned:
            start_ms, slot, inner = self.slots_ms.get(item.first), item.last, []
            if start_ms is None or slot in spread_ms:
                continue
            while self.slots_ms.get(slot, 0) is None and slot in after and len(inner) < MAX_INNER:
                inner.append(slot)
                slot = after[slot]
            end_ms = self.slots_ms.get(slot)
            if end_ms is not None:
                step_ms = (end_ms - start_ms) / (len(inner) + 1)
                spread_ms |= {name: start_ms + k * step_ms for k, name in enumerate(inner, 1)}
        return spread_ms

    def _times_s(self, place: str, item: _Unaligned, spread_ms: Mapping[str, float]) -> tuple[float, float]:
        """Start and end of an annotation, s."""
        for _ in range(MAX_REFERENCES):
            if item.last:
                break
            if item.first not in self._by_name:
                raise InputError(
                    f"{place}: refers to annotation {item.first[:40]!r}, which does not exist; save it with ELAN"
                )
            item = self._by_name[item.first]
        else:
            raise InputError(f"{place}: annotations refer to each other in a circle; save it with ELAN")
        times_s = []
        for slot in (item.first, item.last):
            slot_ms = spread_ms.get(slot, self.slots_ms.get(slot))
            if slot_ms is None:
                what = "has no time" if slot in self.slots_ms else "does not exist"
                raise InputError(f"{place}: time slot {slot[:40]!r} {what}; align the annotation in ELAN")
            times_s.append((slot_ms + (self.origin_ms or 0)) / 1000)
        if times_s[0] >= times_s[1]:
            raise InputError(f"{place}: an annotation from {times_s[0]:g} to {times_s[1]:g} s; correct it in ELAN")
        return times_s[0], times_s[1]

    def _ms(self, attributes: Attributes, name: str, least: int) -> int | None:
        return attributes.integer(name, least, MAX_MS) if name in attributes.values else None


def read_eaf(path: Path) -> Document:
    """Read a document.

    Raises:
        InputError: The file is missing, too large or not EAF.
    """
    document = Document(path)
    for event in scan_xml(path, "ANNOTATION_DOCUMENT", MAX_BYTES):
        if isinstance(event, ElementStart):
            document.start(event)
        else:
            document.end(event)
    return document


def write_eaf(path: Path, tiers: Sequence[Tier], media: Sequence[str] = ()) -> None:
    """Write a document that ELAN opens; the same tiers give the same bytes.

    Args:
        path: Document.
        tiers: Tiers with different names; times are rounded to milliseconds.
        media: File names of videos or sounds beside it that ELAN opens with it.

    Raises:
        InputError: A name or text has a character that XML does not allow.
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
