"""Labels as text that `damamba convert` refuses; `init`, `ingest` and `score` read them with the same reader."""

import gzip
from pathlib import Path

from tests.badinput.cases import BadInput, convert, files

ONE = "expected one value a line, or start;end;value"
NUMBER = f"is not a number; {ONE}, and nan where there is none"


def csv(name: str, content: bytes | str, line: str, file: str = "a.csv") -> BadInput:
    """A text file, and the line without its name in front."""
    return BadInput(name, convert(file, content), f"{file}{line}")


def folder_with_an_ending(folder: Path) -> list[str]:
    (folder / "a.csv").mkdir()
    return ["convert", "a.csv", "out.csv"]


LABELS = [
    csv("empty", "", f": empty, no values in it; {ONE}"),
    csv("a header alone", "value\n", f": empty, no values in it; {ONE}"),
    csv("names of columns alone", "start;end;value\n", f": no values in it; {ONE}"),
    csv("a picture", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", f": binary, not text; {ONE}"),
    csv("compressed", gzip.compress(b"0.5\n" * 50, mtime=0), f": binary, not text; {ONE}"),
    csv("zeros", b"\0" * 500, ": UTF-16 without the mark at its beginning; save it as UTF-8"),
    csv("UTF-16 without a mark", "0.5\n0.6\n".encode("utf-16-le"), ": UTF-16 without the mark at its beginning; save it as UTF-8"),
    csv("prose", "Anna looked bored.\n", f", line 1: 'Anna looked bored.' {NUMBER}"),
    csv("a web page", "<html><body>404</body></html>\n", f", line 1: '<html><body>404</body></html>' {NUMBER}"),
    csv("JSON in a line", '{"label": 0.5}\n', f""", line 1: '{{"label": 0.5}}' {NUMBER}"""),
    csv("JSON in lines", "[\n0.5,\n0.6\n]\n", f", line 1: '[' {NUMBER}"),
    csv("O for 0", "O.5\n0.5\n", f", line 1: 'O.5' {NUMBER}"),
    csv("an underscore", "0.5\n0_5\n", f", line 2: '0_5' {NUMBER}"),
    csv("a word between numbers", "0.5\nhalf\n0.5\n", f", line 2: 'half' {NUMBER}"),
    csv("two points", "0.5\n0.5.1\n", f", line 2: '0.5.1' {NUMBER}"),
    csv("per cent", "50%\n60%\n", f", line 1: '50%' {NUMBER}"),
    csv("a formula", "0.5\n=A1/2\n", f", line 2: '=A1/2' {NUMBER}"),
    csv("a fraction", "1/2\n", f", line 1: '1/2' {NUMBER}"),
    csv("a hexadecimal number", "0x1\n", f", line 1: '0x1' {NUMBER}"),
    csv("two numbers and a blank", "0.5 0.6\n", f", line 1: '0.5 0.6' {NUMBER}"),
    csv("a scale of 1 to 5", "3\n5\n", ", line 1: 3 lies outside [0, 1]; rescale: damamba convert with --range, and name what it writes"),
    csv("below 0", "0.5\n-0.1\n", ", line 2: -0.1 lies outside [0, 1]; rescale: damamba convert with --range, and name what it writes"),
    csv("infinite", "0.5\ninf\n", ", line 2: inf lies outside [0, 1]; rescale: damamba convert with --range, and name what it writes"),
    csv("Windows' infinity", "0.5\n1.#INF00\n", ", line 2: inf lies outside [0, 1]; rescale: damamba convert with --range, and name what it writes"),
    csv("a number too large", "0.5\n1e999\n", ", line 2: inf lies outside [0, 1]; rescale: damamba convert with --range, and name what it writes"),
    csv("two columns without names", "0,0.5\n1,0.6\n", ", line 1: '0;0.5' are two columns without names, which may be row numbers, times or a decimal comma; write a first line time;value or index;value, or decimal points"),
    csv("a comma that may be either", "0,5\n1,0\n", ", line 1: '0;5' are two columns without names, which may be row numbers, times or a decimal comma; write a first line time;value or index;value, or decimal points"),
    csv("five columns", "0;1;0.5;1;x\n", f", line 1: the columns '0;1;0.5;1;x' are not all known; {ONE}: name them so"),
    csv("six numbers", "0;1;0.5;1;2;3\n", f", line 1: '0;1;0.5;1;2;3' are 6 columns; {ONE}"),
    csv("columns of something else", "a;b;c\n0;1;2\n", f", line 1: the columns 'a;b;c' are not all known; {ONE}: name them so"),
    csv("two columns of values", "value;score\n0.5;0.5\n", f", line 1: the columns 'value;score' are not all known; {ONE}: name them so"),
    csv("an end without a start", "end;value\n1;0.5\n", f", line 1: the columns 'end;value' are not all known; {ONE}: name them so"),
    csv("s and ms", "start_s;end_ms;value\n0;40;0.5\n", ", line 1: the columns 'start_s;end_ms;value' have times in s and in ms; write all in s"),
    csv("times of day", "start;end;value\n00:00:00;00:00:01;0.5\n", f", line 2: '00:00:00;00:00:01;0.5' is not start;end;value; {ONE}"),
    csv("a cell too few", "0;1;0.5\n1;2\n", f", line 2: '1;2' is not start;end;value; {ONE}"),
    csv("a cell too many", "0;1;0.5\n1;2;0.5;1\n", f", line 2: '1;2;0.5;1' is not start;end;value; {ONE}"),
    csv("another separator in between", "0;1;0.5\n1,2,0.5\n", f", line 2: '1,2,0.5' is not start;end;value; {ONE}"),
    csv("an end before its start", "0;1;0.5\n3;2;0.5\n", ", line 2: from 3 to 2 s; expected seconds, the smaller one first"),
    csv("no length", "0;0;0.5\n", ", line 1: from 0 to 0 s; expected seconds, the smaller one first"),
    csv("stretches over each other", "0;1;0.5\n0.5;2;0.6\n", ", line 2: begins at 0.5 s, before the one in front of it ends at 1 s; correct the times"),
    csv("times that run backwards", "time;value\n0;0.5\n2;0.5\n1;0.5\n", ", line 3: from 2 to 1 s; expected seconds, the smaller one first"),
    csv("ms of a long recording", "0;1000;0.5\n1000;96000000;0.5\n", ", line 2: from 1000 to 9.6e+07 s; expected seconds, the smaller one first"),
    csv("a time that is missing", "0;1;0.5\nnan;2;0.5\n", ", line 2: from nan to 2 s; expected seconds, the smaller one first"),
    csv("row numbers with a gap", "index,value\n0,0.5\n2,0.5\n", ", line 3: row number '2' where 1 is next; add the missing rows, or remove the column"),
    csv("row names", "index,value\nfirst,0.5\n", ", line 2: row number 'first' where 0 is next; add the missing rows, or remove the column"),
    csv("a line without end", "0." + "5" * 10_000, f", line 1: '0.555555555555555555'… is longer than 4096 characters; {ONE}"),
    BadInput("a label that is not there", files({"b.csv": "0.5\n"}, "convert", "a.csv", "out.csv"), "a.csv: no such file"),
    BadInput("a folder with the ending of a label", folder_with_an_ending, "a.csv: not a regular file"),
    csv("a spreadsheet", b"PK\x03\x04", ": annotations end in .csv, .txt, .annotation, .eaf; export it as one of them", "a.xlsx"),
    BadInput("an output that is an input", files({"a.csv": "0.5\n"}, "convert", "a.csv", "a.csv"), "a.csv: is an input and the output; give the output another name"),
]  # fmt: skip
