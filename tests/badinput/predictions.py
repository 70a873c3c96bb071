"""Predictions, zips of them and labels that `damamba score` refuses."""

import io
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.badinput.cases import BadInput, files

N = 50
LABEL = "t/noxi/test/002/expert.engagement.annotation.csv"
PREDICTION = "p/noxi-base/002/expert.engagement.prediction.csv"
MEMBER = PREDICTION.removeprefix("p/")
LABELS = "".join(f"{k / N:.2f}\n" for k in range(N))
NUMBER = "is not a number; expected one value a line, or start;end;value, and nan where there is none"
NONE = "none for one of the 1 labelled participants (such as noxi/002/expert); expected [CORPUS/]SESSION/ROLE.engagement.prediction.csv, or data/predictions/RUN"
TREE = "no labels below it; expected SESSION/ROLE.engagement.annotation.csv as in the challenge's release, a manifest.csv with labels, data/corpus or data/aligned"


def predicted(name: str, content: bytes | str, line: str, file: str = PREDICTION) -> BadInput:
    """A file of predictions, and the line without its name in front."""
    made = files({LABEL: LABELS, file: content}, "score", "t", "p")
    return BadInput(name, made, f"{file.removeprefix('p/')}{line}")


def labelled(name: str, content: bytes | str, line: str) -> BadInput:
    """A file of labels, and the line without its name in front."""
    return BadInput(name, files({LABEL: content, PREDICTION: LABELS}, "score", "t", "p"), f"{LABEL}{line}")


def packed(*members: tuple[str, bytes | str]) -> bytes:
    """A zip."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return stream.getvalue()


def zipped(name: str, content: bytes, line: str) -> BadInput:
    """A zip of predictions, and the line without its name in front."""
    return BadInput(name, files({LABEL: LABELS, "p.zip": content}, "score", "t", "p.zip"), f"p.zip{line}")


def parquet(**columns: list[float | str]) -> bytes:
    """A Parquet file."""
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream)
    return stream.getvalue()


def labels_of_a_manifest(folder: Path) -> list[str]:
    """A folder with a manifest whose label is damaged."""
    header = "session,participant,role,split,language,person,video,audio,label"
    row = "002,expert,expert,test,en,anna,a.mp4,,a.csv"
    contents: dict[str, bytes | str] = {"t/manifest.csv": f"{header}\n{row}\n", "t/a.mp4": "x", "t/a.csv": "0.5\n2\n"}
    return files({**contents, PREDICTION: LABELS}, "score", "t", "p")(folder)


PREDICTIONS = [
    predicted("predictions of nothing", "", ": empty, no values in it; expected one value a line, or start;end;value"),
    predicted("predictions of words", "0.5\nhalf\n", f": line 2: 'half' {NUMBER}"),
    predicted("predictions with an underscore", "0_5\n" * N, f": line 1: '0_5' {NUMBER}"),
    predicted("predictions with times", "start;end;value\n0;1;0.5\n", ": line 1: columns start;end;value; expected one value a line, 25 a second"),
    predicted("predictions in two columns", "0,0.5\n1,0.6\n", ": line 1: '0;0.5' are two columns without names, which may be row numbers, times or a decimal comma; write a first line time;value or index;value, or decimal points"),
    predicted("a model for predictions", b"\x80\x04\x95\0\0\0", ": binary, not text; expected one value a line, or start;end;value"),
    predicted("predictions that are too short", "0.5\n" * 10, ": 10 lines are 0.4 s, the label has 50 (2.0 s); write 25 a second for exactly the label's frames"),
    predicted("predictions that are too long", "0.5\n" * 90, ": 90 lines are 3.6 s, the label has 50 (2.0 s); write 25 a second for exactly the label's frames"),
    predicted("predictions without end", "0.5\n" * 50_000, ": 195 KiB for 50 label frames; expected one number a line, 25 a second"),
    predicted("predictions that are missing", "0.5\n" + "nan\n" * (N - 1), ": 49 of 50 values are not finite, 49 of them where there is a label; predict every frame"),
    predicted("a damaged Parquet file", b"PAR1" + b"\0" * 50, ": damaged…; make it again: dvc repro -f evaluate@RUN", "p/noxi/002/expert.parquet"),
    predicted("a Parquet file of something else", parquet(x=[0.5] * N), ": damaged…; make it again: dvc repro -f evaluate@RUN", "p/noxi/002/expert.parquet"),
    predicted("a Parquet file of words", parquet(prediction=["high"] * N), ": damaged…; make it again: dvc repro -f evaluate@RUN", "p/noxi/002/expert.parquet"),
    BadInput("predictions of another session", files({LABEL: LABELS, "p/noxi-base/999/expert.engagement.prediction.csv": LABELS}, "score", "t", "p"), f"p: 1 prediction files, {NONE}"),
    BadInput("no predictions", files({LABEL: LABELS, "p/readme.txt": ""}, "score", "t", "p"), f"p: 0 prediction files, {NONE}"),
    BadInput("no folder of predictions", files({LABEL: LABELS}, "score", "t", "p"), "p: no such folder or zip; name the predictions"),
    BadInput("two predictions for one", files({LABEL: LABELS, PREDICTION: LABELS, PREDICTION.replace("prediction.csv", "pred.csv"): LABELS}, "score", "t", "p"), "noxi-base/002/expert.engagement.prediction.csv: noxi-base/002/expert.engagement.pred.csv is a prediction for the same participant; remove one"),
    BadInput("the labels themselves", files({LABEL: LABELS}, "score", "t", "t"), "t: labels and predictions are the same folder; name the folder of the predictions"),
    zipped("a zip that is none", b"hello", ": not a readable zip (File is not a zip file); name a folder or zip of predictions"),
    zipped("a zip cut off", packed((MEMBER, LABELS))[:-30], ": not a readable zip (File is not a zip file); name a folder or zip of predictions"),
    zipped("a zip of nothing", packed(), f": 0 prediction files, {NONE}"),
    zipped("a zip that unpacks to 96 MiB", packed((MEMBER, b"0\n" * 50_331_648)), ": … KiB that unpack to 96.0 MiB in 1 files; predictions are at most … in 8192 files: name a zip of predictions alone"),
    zipped("a zip with a name that paints", packed(("\x1b[2J.csv", LABELS)), ", member '\\x1b[2J.csv': has characters that cannot be printed; pack it again"),
    zipped("a zip with a name too long", packed(("x" * 300 + ".csv", LABELS)), ": cannot be unpacked into … (File name too long); unpack it yourself, and name the folder"),
    labelled("labels of nothing", "", ": empty, no values in it; expected one value a line, or start;end;value"),
    labelled("labels on a scale of 1 to 5", "0.5\n3\n", ", line 2: 3 lies outside [0, 1]; rescale: damamba convert with --range, and name what it writes"),
    labelled("labels of words", "high\nlow\n", f", line 2: 'low' {NUMBER}"),
    BadInput("labels of a manifest on another scale", labels_of_a_manifest, "t/a.csv, line 2: 2 lies outside [0, 1]; rescale: damamba convert with --range, and name what it writes"),
    BadInput("no labels", files({"t/x": "", PREDICTION: LABELS}, "score", "t", "p"), f"t: {TREE}"),
    BadInput("no folder of labels", files({PREDICTION: LABELS}, "score", "t", "p"), "t: no such folder; name the folder of the labels"),
    BadInput("labels of another split", files({LABEL: LABELS, PREDICTION: LABELS}, "score", "t", "p", "--split", "val"), "t: the split val has no labels; there are test (1): name one with --split"),
    BadInput("a damaged corpus", files({"t/manifest.jsonl": '{"corpus": ', PREDICTION: LABELS}, "score", "t", "p"), "t/manifest.jsonl: damaged…; make it again: dvc repro -f ingest"),
    BadInput("a confidence of 2", files({LABEL: LABELS, PREDICTION: LABELS}, "score", "t", "p", "--confidence", "2"), "--confidence must lie between 0 and 1 and --resamples above 0"),
]  # fmt: skip
