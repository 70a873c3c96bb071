"""Manifests of own recordings that `damamba init` refuses; `ingest` reads them with the same reader."""

from pathlib import Path

from damamba.corpus.manifest_csv import COLUMNS
from tests.badinput.cases import BadInput, files

HEADER = ",".join(COLUMNS)
ANNA = "s1,anna,host,train,de,anna,anna.mp4,,"
BEN = "s2,ben,host,test,de,ben,ben.mp4,,"
PLACEHOLDERS: dict[str, bytes | str] = {"r/anna.mp4": b"x", "r/ben.mp4": b"x", "r/anna.csv": "0.5\n"}
"""A manifest is refused before any of these is opened."""
TWICE = "a model would be tested on people it was trained on: give all of them one split"
NAME = "use 1-64 letters, digits, '.', '_' or '-', first a letter or digit"
TEXT = "use up to 64 printed characters, the first none of =+-@"
SHARED = "give each of them a region of the picture or a reference of their own (damamba init proposes regions)"
PRINTED = "has characters that cannot be printed; rename the file"


def manifest(name: str, content: bytes | str, line: str) -> BadInput:
    """A manifest, and the line without its name in front."""
    made = files({**PLACEHOLDERS, "r/manifest.csv": content}, "init", "r", "--no-faces")
    return BadInput(name, made, f"r/manifest.csv{line}")


def row(name: str, text: str, line: str, header: str = HEADER) -> BadInput:
    """A manifest of one row."""
    return manifest(name, f"{header}\n{text}\n", f", line 2: {line}")


def link_out_of_the_folder(folder: Path) -> list[str]:
    """A video that is a link to a file elsewhere."""
    made = files({**PLACEHOLDERS, "x.mp4": b"x", "r/manifest.csv": f"{HEADER}\n{ANNA.replace('anna.mp4', 'l.mp4')}\n"})
    made(folder)
    (folder / "r/l.mp4").symlink_to(folder / "x.mp4")
    return ["init", "r", "--no-faces"]


MANIFESTS = [
    manifest("an empty manifest", "", f", line 1: missing column {', '.join(COLUMNS)}; expected {HEADER}"),
    manifest("a manifest without rows", f"{HEADER}\n", ": no rows in it; one row a participant is needed"),
    manifest("rows of commas alone", f"{HEADER}\n,,,,,,,,\n", ": no rows in it; one row a participant is needed"),
    manifest("a missing column", f"{HEADER.replace('role,', '')}\n{ANNA.replace('host,', '')}\n", f", line 1: missing column role; expected {HEADER}"),
    manifest("two columns of one name", f"{HEADER},label\n{ANNA},anna.csv\n", ", line 1: two columns label; remove one"),
    manifest("a column in capitals", f"{HEADER},Gender\n{ANNA},female\n", ", line 1: column 'Gender' is not known; rename it to gender, or remove it"),
    manifest("a misspelt optional column", f"{HEADER},gendre\n{ANNA},female\n", ", line 1: column 'gendre' is not known; rename it to gender, or remove it"),
    manifest("a misspelt column", f"{HEADER.replace('language', 'langauge')}\n{ANNA}\n", ", line 1: column 'langauge' is not known; rename it to language, or remove it"),
    manifest("a plural", f"{HEADER.replace('label', 'labels')}\n{ANNA}\n", ", line 1: column 'labels' is not known; rename it to label, or remove it"),
    manifest("a value without a column", f"{HEADER},\n{ANNA},female\n", ", line 2: a field in a column without a name; name it in line 1, or remove it"),
    manifest("a field too few", f"{HEADER}\ns1,anna,host,train,de,anna,anna.mp4\n", ", line 2: 7 fields for 9 columns, not as many fields as the header has columns; put quotes around a field with ','"),
    manifest("a field too many", f"{HEADER}\n{ANNA},x\n", ", line 2: 10 fields for 9 columns, not as many fields as the header has columns; put quotes around a field with ','"),
    manifest("annotators without quotes", f"{HEADER}\n{ANNA}anna.csv;anna.csv\n".replace(",", ";"), ", line 2: 10 fields for 9 columns, not as many fields as the header has columns; put quotes around a field with ';'"),
    manifest("Windows' encoding", f"{HEADER}\n{ANNA.replace('de', 'Französisch')}\n".encode("cp1252"), ", line 1: not CSV in UTF-8 (…); save it again as that"),
    manifest("zeros in a manifest", f"{HEADER}\n{ANNA}\0\n", ", line 2: label '\\x00' " + PRINTED),
    manifest("a manifest that is a spreadsheet", b"PK\x03\x04\x14\0\x06\0\x08\0", f", line 1: missing column {', '.join(COLUMNS)}; expected {HEADER}"),
    manifest("a quote without end", f'{HEADER}\n"{ANNA}\n{BEN}\n', ", line 3: 1 fields for 9 columns, not as many fields as the header has columns; put quotes around a field with ','"),
    row("a video that is not there", ANNA.replace("anna.mp4", "gone.mp4"), "video 'gone.mp4' is missing: there is no file r/gone.mp4"),
    row("a label that is not there in a row", f"{ANNA}gone.csv", "label 'gone.csv' is missing: there is no file r/gone.csv"),
    row("one of two labels is not there", f"{ANNA}anna.csv;gone.eaf#host", "label 'gone.eaf' is missing: there is no file r/gone.eaf"),
    row("a folder for a video", ANNA.replace("anna.mp4", "."), "video '.' is missing: there is no file r"),
    row("no video", ANNA.replace("anna.mp4", ""), "video is empty; name the participant's video file"),
    row("a path out of the folder", ANNA.replace("anna.mp4", "../x.mp4"), "video '../x.mp4' leads out of r; put the file inside or set corpus.folder.root"),
    row("an absolute path", ANNA.replace("anna.mp4", "/etc/passwd"), "video '/etc/passwd' is not a path below r; write it relative to that folder"),
    row("a drive of Windows", ANNA.replace("anna.mp4", "C:\\anna.mp4"), "video 'C:/anna.mp4' is not a path below r; write it relative to that folder"),
    BadInput("a link out of the folder", link_out_of_the_folder, "r/manifest.csv, line 2: video 'l.mp4' leads out of r; put the file inside or set corpus.folder.root"),
    row("a path too long", ANNA.replace("anna.mp4", "x" * 300), f"video '{'x' * 80}' is too long for a path; correct it"),
    row("a path that paints", ANNA.replace("anna.mp4", "a\x1b[2J.mp4"), "video 'a\\x1b[2J.mp4' " + PRINTED),
    row("a path with a separator of lines", ANNA.replace("anna.mp4", "a\u2028b.mp4"), "video 'a\\u2028b.mp4' " + PRINTED),
    row("another split", ANNA.replace("train", "training"), "split is 'training'; use train, val or test"),
    row("no split", ANNA.replace("train", ""), "split is ''; use train, val or test"),
    row("a blank in a session", ANNA.replace("s1", "s 1"), f"session is 's 1'; {NAME}"),
    row("a folder in a session", ANNA.replace("s1", "../s1"), f"session is '../s1'; {NAME}"),
    row("a participant in another script", ANNA.replace("s1,anna", "s1,анна"), f"participant is 'анна'; {NAME}"),
    row("a participant called like a file of labels", ANNA.replace("s1,anna", "s1,anna.label"), "participant is 'anna.label'; files of labels end in .label: rename it"),
    row("no person", ANNA.replace("de,anna", "de,"), f"person is ''; {NAME}"),
    row("a corpus called like a key of the results", f"global,{ANNA}", "corpus is 'global', a key in the files of results; rename it", f"corpus,{HEADER}"),
    row("a formula for a language", ANNA.replace("de", "=HYPERLINK(1)"), f"language is '=HYPERLINK(1)'; {TEXT}"),
    row("a language with a separator of lines", ANNA.replace("de", "d\u2028e"), f"language is 'd\\u2028e'; {TEXT}"),
    row("a gender of a page", f"{ANNA},{'x' * 99}", f"gender is '{'x' * 80}'; {TEXT}", f"{HEADER},gender"),
    row("a stream of another name", f"{ANNA},ben.audio.stream", "streams 'ben.audio.stream' is not called anna.NAME.stream or NAME.parquet; damamba import makes such", f"{HEADER},streams"),
    row("a region of words", f"{ANNA},left half", "region 'left half': write left,top,width,height as shares of the picture, such as 0.5,0,0.5,1", f"{HEADER},region"),
    row("a region in pixels", f'{ANNA},"0,0,640,720"', "region '0,0,640,720': write left,top,width,height as shares of the picture, such as 0.5,0,0.5,1", f"{HEADER},region"),
    row("a region outside the picture", f'{ANNA},"0.6,0,0.5,1"', "region '0.6,0,0.5,1': lies outside the picture; left + width and top + height are shares of it and 1 at most, such as 0.5,0,0.5,1", f"{HEADER},region"),
    row("a region without width", f"{ANNA},0.5 0 0 1", "region '0.5 0 0 1': its width and height must be above 0", f"{HEADER},region"),
    row("a reference that is not there", f"{ANNA},anna.png", "reference 'anna.png' is missing: there is no file r/anna.png", f"{HEADER},reference"),
    manifest("two people in one video", f"{HEADER}\n{ANNA}\n{ANNA.replace('anna,host', 'ben,guest').replace('de,anna', 'de,ben')}\n", f": own/s1/anna, own/s1/ben share the video r/anna.mp4; {SHARED}"),
    manifest("two people in one region", f'{HEADER},region\n{ANNA},"0,0,1,1"\n{ANNA.replace("anna,host", "ben,guest").replace("de,anna", "de,ben")},"0,0,1,1"\n', f": own/s1/anna, own/s1/ben share the video r/anna.mp4; {SHARED}"),
    manifest("a participant twice", f"{HEADER}\n{ANNA}\n{ANNA}\n", ": own/s1/anna is listed twice; a participant of a session has one row"),
    manifest("a session in two splits", f"{HEADER}\n{ANNA}\n{BEN.replace('s2', 's1')}\n", f": session s1 of own is in the splits test and train: s1/anna (train), s1/ben (test); {TWICE}"),
    manifest("a person in two splits", f"{HEADER}\n{ANNA}\n{BEN.replace('de,ben', 'de,anna')}\n", f": person anna of own is in the splits test and train: s1/anna (train), s2/ben (test); {TWICE}"),
    BadInput("no folder of recordings", files({"x": ""}, "init", "r"), "r: no such directory; give the one that contains the recordings"),
    BadInput("a folder without videos", files({"r/a.doc": ""}, "init", "r"), "r: no video in it (1 files); expected one file a participant, such as s01/anna.mp4, or feature streams, which damamba import makes"),
    BadInput("a language that is a formula", files({"r/a.mp4": b"x"}, "init", "r", "--language", "=1"), f"--language: language is '=1'; {TEXT}"),
    BadInput("two videos of one participant", files({"r/s/a.mp4": b"x", "r/s/a.mkv": b"x"}, "init", "r"), "r/s/a.mkv, r/s/a.mp4: would be the same participant a of session s; keep one, or rename the others"),
    BadInput("a name that paints", files({"r/s/a.mp4": b"x", "r/s/\x1b[2J.mp4": b"x"}, "init", "r"), "r: file 's/\\x1b[2J.mp4': its name begins or ends with a blank, or has characters that cannot be printed; rename it"),
]  # fmt: skip
