"""ELAN documents."""

import contextlib
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["damamba.corpus"]):
    from damamba.console import InputError
    from damamba.corpus.annotations import read_annotation
    from damamba.corpus.eaf import Stretch, Tier, read_eaf, write_eaf

from harness import fuzz

REFERRING = b"""<?xml version="1.0" encoding="UTF-8"?><ANNOTATION_DOCUMENT FORMAT="3.0">
<HEADER TIME_UNITS="milliseconds"><MEDIA_DESCRIPTOR TIME_ORIGIN="40"/></HEADER>
<TIME_ORDER><TIME_SLOT TIME_SLOT_ID="t1" TIME_VALUE="0"/><TIME_SLOT TIME_SLOT_ID="t2" TIME_VALUE="900"/>
<TIME_SLOT TIME_SLOT_ID="t3"/></TIME_ORDER>
<TIER TIER_ID="a"><ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="t1" TIME_SLOT_REF2="t2">
<ANNOTATION_VALUE>0.5</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER>
<TIER TIER_ID="b" PARENT_REF="a"><ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a2" ANNOTATION_REF="a1">
<ANNOTATION_VALUE>0,25</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION></TIER></ANNOTATION_DOCUMENT>"""


def read(folder: Path) -> None:
    """Read the tiers, then engagement from the only one."""
    document = read_eaf(folder / "a.eaf")
    for name in document.tiers:
        with contextlib.suppress(InputError):
            assert all(stretch.start_s < stretch.end_s for stretch in document.tier(name.name).stretches)
    read_annotation(folder / "a.eaf")


def seeds() -> list[list[bytes]]:
    """One document of ours, and one with references."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.eaf"
        write_eaf(path, [Tier("e", (Stretch(0, 1, "0.5"), Stretch(1, 2, "")), "ü")], ["a.mp4"])
        return [[path.read_bytes()], [REFERRING]]


if __name__ == "__main__":
    fuzz(read, ["a.eaf"], seeds())
