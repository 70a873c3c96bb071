"""Annotations of NOVA and ELAN that `damamba convert` refuses."""

from tests.badinput.cases import BadInput, files

HEADER = '<annotation ssi-v="3"><info ftype="{ftype}" size="{size}"/>{scheme}</annotation>'
CONTINUOUS = '<scheme name="engagement" type="CONTINUOUS" sr="25" min="0" max="1"/>'
DISCRETE = '<scheme name="engagement" type="DISCRETE"><item id="0" name="{}"/></scheme>'
FREE = '<scheme name="engagement" type="FREE"/>'


def nova(
    name: str, line: str, scheme: str = CONTINUOUS, data: bytes | str = "0.5;1\n0.6;1\n", **header: str
) -> BadInput:
    """A pair of files, and the line without the name of the header in front."""
    text = HEADER.format(**({"ftype": "ASCII", "size": "2", "scheme": scheme} | header))
    contents = {"a.annotation": text, "a.annotation~": data}
    return BadInput(name, files(contents, "convert", "a.annotation", "out.csv"), f"a.annotation{line}")


def header(name: str, content: bytes | str, line: str) -> BadInput:
    """A header of one's own."""
    contents = {"a.annotation": content, "a.annotation~": "0.5;1\n"}
    return BadInput(name, files(contents, "convert", "a.annotation", "out.csv"), f"a.annotation{line}")


NOVA = [
    BadInput("a header without its data", files({"a.annotation": HEADER.format(ftype="ASCII", size=2, scheme=CONTINUOUS)}, "convert", "a.annotation", "out.csv"), "a.annotation~: no such file"),
    header("an empty header", "", ", line 1, column 1: not XML (no element found); save or fetch it again"),
    header("a header that is no XML", "engagement 25 Hz", ", line 1, column 1: not XML (syntax error); save or fetch it again"),
    header("a header cut off", '<annotation ssi-v="3"><info ', ", line 1, column 23: not XML (unclosed token); save or fetch it again"),
    header("another kind of XML", "<stream/>", ": expected XML with the root <annotation>, found <stream>"),
    header("entities", '<!DOCTYPE a [<!ENTITY b "c">]><annotation/>', ": has a document type or entities, which are not allowed; save it without them"),
    header("an unknown encoding", '<?xml version="1.0" encoding="klingon"?><annotation/>', ": not XML in a known encoding (unknown encoding: klingon); save it in UTF-8"),
    header("no info", f"<annotation>{CONTINUOUS}</annotation>", ": no <info> in it; save or fetch it again"),
    header("no scheme", '<annotation><info ftype="ASCII"/></annotation>', ": no <scheme> in it; save or fetch it again"),
    nova("another file type", ": ftype of <info> is 'CSV'; BINARY, ASCII can be read", ftype="CSV"),
    nova("points", ": type of <scheme> is 'POINT'; CONTINUOUS, DISCRETE, FREE can be read", '<scheme type="POINT"/>'),
    nova("no rate", ": <scheme> has no sr; fetch the file again, or add it", '<scheme type="CONTINUOUS" min="0" max="1"/>'),
    nova("a rate of 0", ": sr=0, min=0, max=1 are not a rate and a range; correct <scheme>", CONTINUOUS.replace('sr="25"', 'sr="0"')),
    nova("a rate in words", ": sr of <scheme> is 'fast'; expected a number", CONTINUOUS.replace('sr="25"', 'sr="fast"')),
    nova("an infinite range", ": sr=25, min=0, max=inf are not a rate and a range; correct <scheme>", CONTINUOUS.replace('max="1"', 'max="1.#INF00"')),
    nova("a range of nothing", ": sr=25, min=1, max=1 are not a rate and a range; correct <scheme>", CONTINUOUS.replace('min="0"', 'min="1"')),
    nova("fewer rows than declared", "~: a.annotation declares 9 rows, but there are 2; fetch it again", size="9"),
    nova("a size in words", ": size of <info> is 'two'; expected a whole number", size="two"),
    nova("a row of one value", "~, line 2: '0.6' is not score;conf; write numbers like 0.5", data="0.5;1\n0.6\n"),
    nova("a row of words", "~, line 1: 'low;1' is not score;conf; write numbers like 0.5", data="low;1\n0.6;1\n"),
    nova("a score out of range", "~, row 2: 6 lies outside [0, 1]; rescale: damamba convert with --range, and name what it writes", data="0.5;1\n6;1\n"),
    nova("binary rows cut off", "~: 15 bytes, not a multiple of a row's 8; save or fetch it again", data=b"\0" * 15, ftype="BINARY"),
    nova("classes that are no numbers", "~, row 1: 'low' is not a number; name the classes by their values, such as 0.25, or list them under labels.classes", DISCRETE.format("low"), "0;1;0;1\n1;2;0;1\n"),
    nova("a class of a fraction", "~, line 2: '1;2;0.5;1' is not from;to;id;conf; write numbers like 0.5", DISCRETE.format("1"), "0;1;0;1\n1;2;0.5;1\n"),
    nova("a stretch that runs backwards", "~, row 2: from 3 to 2 s, expected start and end; correct or remove it", DISCRETE.format("1"), "0;1;0;1\n3;2;0;1\n"),
    nova("classes over each other", "~, row 2: begins at 0.5 s, before the one in front of it ends at 1 s; correct the times", DISCRETE.format("1"), "0;1;0;1\n0.5;2;0;1\n"),
    nova("an item without id", ": <item> has no id; fetch the file again, or add it", '<scheme type="DISCRETE"><item name="1"/></scheme>'),
    nova("a transcript", "~, row 1: 'hello' is not a number; name the classes by their values, such as 0.25, or list them under labels.classes", FREE, "0;1;hello;1\n1;2;1;1\n"),
    nova("a free label cut off", "~, byte 0: incomplete row of from;to;label;conf; NOVA counts letters beyond ASCII wrongly in binary files: save it as ASCII", FREE, b"\0" * 18, ftype="BINARY"),
]  # fmt: skip

SLOTS = '<TIME_ORDER><TIME_SLOT TIME_SLOT_ID="t1" TIME_VALUE="0"/><TIME_SLOT TIME_SLOT_ID="t2" TIME_VALUE="1000"/><TIME_SLOT TIME_SLOT_ID="t3"/></TIME_ORDER>'
DOCUMENT = '<ANNOTATION_DOCUMENT><HEADER TIME_UNITS="milliseconds"/>' + SLOTS + "{}</ANNOTATION_DOCUMENT>"


def aligned(text: str = "0.5", first: str = "t1", last: str = "t2", tier: str = "engagement") -> str:
    """A tier with one annotation."""
    slots = f'TIME_SLOT_REF1="{first}" TIME_SLOT_REF2="{last}"'
    inner = f'<ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" {slots}><ANNOTATION_VALUE>{text}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION>'
    return f'<TIER TIER_ID="{tier}"><ANNOTATION>{inner}</ANNOTATION></TIER>'


def referring(reference: str, more: str = "") -> str:
    """A tier with one annotation that refers to another."""
    inner = f'<REF_ANNOTATION ANNOTATION_ID="r1" ANNOTATION_REF="{reference}"{more}><ANNOTATION_VALUE>0.5</ANNOTATION_VALUE></REF_ANNOTATION>'
    return f'<TIER TIER_ID="engagement"><ANNOTATION>{inner}</ANNOTATION></TIER>'


def elan(name: str, content: str, line: str, *arguments: str) -> BadInput:
    """A document; `content` alone where it has no tiers."""
    text = DOCUMENT.format(content) if "<TIER" in content else content
    return BadInput(name, files({"a.eaf": text}, "convert", "a.eaf", "out.csv", *arguments), f"a.eaf{line}")


ELAN = [
    elan("an empty document", "", ", line 1, column 1: not XML (no element found); save or fetch it again"),
    elan("a document that is no XML", "hello", ", line 1, column 1: not XML (syntax error); save or fetch it again"),
    elan("another root", "<html/>", ": expected XML with the root <ANNOTATION_DOCUMENT>, found <html>"),
    elan("a document cut off", "<ANNOTATION_DOCUMENT><HEADER", ", line 1, column 22: not XML (unclosed token); save or fetch it again"),
    elan("a document type", "<!DOCTYPE a><ANNOTATION_DOCUMENT/>", ": has a document type or entities, which are not allowed; save it without them"),
    elan("no tiers", "<ANNOTATION_DOCUMENT/>", ": expected one tier with annotations, found 0; name one of its tiers: none"),
    elan("several tiers", aligned() + aligned(tier="valence"), ": expected one tier with annotations, found 2; name one of its tiers: engagement, valence"),
    elan("a tier that is not there", aligned(), ": expected one tier 'valence', found 0; name one of its tiers: engagement", "--tier", "valence"),
    elan("two tiers of one name", aligned() + aligned(), ": expected one tier 'engagement', found 2; name one of its tiers: engagement, engagement", "--tier", "engagement"),
    elan("words in a tier", aligned("bored"), ", tier 'engagement' at 0 s: 'bored' is not a number; name the classes by their values, such as 0.25, or list them under labels.classes"),
    elan("a scale of 1 to 5 in a tier", aligned("4"), ", tier 'engagement' at 0 s: 4 lies outside [0, 1]; rescale: damamba convert with --range, and name what it writes"),
    elan("a slot that is not there", aligned(last="t9"), ", tier 'engagement': time slot 't9' does not exist; align the annotation in ELAN"),
    elan("a slot without a time", aligned(last="t3"), ", tier 'engagement': time slot 't3' has no time; align the annotation in ELAN"),
    elan("a stretch of nothing", aligned(last="t1"), ", tier 'engagement': an annotation from 0 to 0 s; correct it in ELAN"),
    elan("a reference to nothing", referring("a9"), ", tier 'engagement': refers to annotation 'a9', which does not exist; save it with ELAN"),
    elan("a reference to itself", referring("r1"), ", tier 'engagement': annotations refer to each other in a circle; save it with ELAN"),
    elan("a divided annotation", referring("r1", ' PREVIOUS_ANNOTATION="r0"'), ", tier 'engagement': annotations that divide another one have no times of their own; copy the tier to an independent one in ELAN"),
    elan("times in frames", '<ANNOTATION_DOCUMENT><HEADER TIME_UNITS="PAL-frames"/></ANNOTATION_DOCUMENT>', ": times in PAL-frames; expected milliseconds: save it with ELAN 5+"),
    elan("a time in words", '<ANNOTATION_DOCUMENT><TIME_SLOT TIME_SLOT_ID="t1" TIME_VALUE="soon"/></ANNOTATION_DOCUMENT>', ": TIME_VALUE of <TIME_SLOT> is 'soon'; expected a whole number"),
]  # fmt: skip
