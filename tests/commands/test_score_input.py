"""`damamba score` on files of other programs, and on files that were made to do harm."""

import tracemalloc
import warnings
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from damamba.console import InputError
from tests.commands.challenge import DYADS, EXPERT, NAMES_2026, lines, score, write


def rewritten(values, form):
    """A file of predictions as another program writes it."""
    plain = lines(values)
    texts = plain.splitlines()
    match form:
        case "BOM":
            return b"\xef\xbb\xbf" + plain.encode()
        case "UTF-16":
            return plain.encode("utf-16")
        case "header":
            return f"prediction\n{plain}".encode()
        case "quoted":
            return "".join(f'"{text}"\n' for text in ["engagement", *texts]).encode()
        case "decimal comma":
            return plain.replace(".", ",").encode()
        case "semicolon and sep":
            return (
                ("sep=;\nframe;value\n" + "".join(f"{i};{t}\n" for i, t in enumerate(texts))).replace(".", ",").encode()
            )
        case "pandas' index":
            return (",0\n" + "".join(f"{i},{t}\n" for i, t in enumerate(texts))).encode()
        case "pandas' header":
            return f"0\n{plain}".encode()
        case _:
            return plain.replace("\n", "\r\n").encode()


@pytest.mark.parametrize(
    "form",
    [
        "BOM",
        "UTF-16",
        "header",
        "quoted",
        "decimal comma",
        "semicolon and sep",
        "pandas' index",
        "pandas' header",
        "CR",
    ],
)
def test_predictions_of_other_programs_score_as_plain_ones(release, form, capsys):
    folder, series = release
    expected = score(folder, "p26")["corpora"]["noxi"]["ccc"]
    for _, session, role in DYADS:
        path = folder / "p26" / NAMES_2026[0].format(session, role)
        path.write_bytes(rewritten(series[session, role][0], form))
    capsys.readouterr()
    assert score(folder, "p26")["corpora"]["noxi"]["ccc"] == pytest.approx(expected, abs=1e-9)
    told = "of which the first, 0, is the name of a column" in capsys.readouterr().err
    assert told == (form == "pandas' header")


def test_labels_on_another_scale_are_refused(release):
    folder, series = release
    label = folder / "labels/noxi/test-base/006/expert.engagement.annotation.csv"
    write(label, 1 + 4 * series["006", "expert"][1])
    with pytest.raises(InputError, match=r"expert\.engagement\.annotation\.csv, line 1: .* lies outside \[0, 1\]"):
        score(folder, "p26")


def test_frames_without_a_prediction_count_like_a_file_that_is_too_short(release, capsys):
    folder, series = release
    pred, target = series["006", "expert"]
    sparse = np.where(np.arange(len(pred)) % 100 == 0, pred, np.nan)
    for spoiled in (sparse, pred[:260]):
        write(folder / "p26" / EXPERT, spoiled)
        with pytest.raises(InputError, match="1 of 5 participants cannot be scored"):
            score(folder, "p26")
        card = score(folder, "p26", partial=True)
        padded = np.concatenate([spoiled, np.full(len(pred) - len(spoiled), np.nan)])
        assert card["corpora"]["noxi"]["missing"] == int((np.isnan(padded) & np.isfinite(target)).sum())


@pytest.mark.parametrize(
    ("extra", "told"), [(18, "320 lines, the label has 302; the last 18 are cut"), (-5, "297 lines")]
)
def test_every_difference_of_counts_is_told(release, capsys, extra, told):
    folder, series = release
    pred, _ = series["006", "expert"]
    write(folder / "p26" / EXPERT, np.concatenate([pred, np.full(extra, 0.5)]) if extra > 0 else pred[:extra])
    score(folder, "p26")
    assert told in capsys.readouterr().err


def zipped(path, members, compression=zipfile.ZIP_DEFLATED):
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", compression) as archive:
        warnings.simplefilter("ignore")  # of two members of one name
        for name, content in members:
            archive.writestr(name, content)
    return path


def flipped(path):
    """Damage inside the compressed data of a zip."""
    content = bytearray(path.read_bytes())
    content[60:64] = b"\xff\xff\xff\xff"
    path.write_bytes(bytes(content))


HOSTILE_ZIPS = {
    "a bomb": ([("a.csv", b"0\n" * 100_000_000)], r"KiB that unpack to 191 MiB in 1 files; predictions are at most"),
    "many members": ([(f"{i}.csv", b"") for i in range(9000)], r"in 9000 files; predictions are at most"),
    "two members of one name": ([("a/b.csv", b"1\n"), ("a/b.csv", b"0\n")], r"member 'a/b\.csv': 2 members have"),
    "a name that paints": ([("a\x1b[2J.csv", b"1\n")], r"member 'a\\x1b\[2J\.csv': has characters that cannot"),
    "a name that is too long": ([("x" * 300 + ".csv", b"1\n")], r"cannot be unpacked .*File name too long"),
    "a file that is a folder": ([("a", b"1\n"), ("a/b.csv", b"1\n")], "cannot be unpacked"),
}


@pytest.mark.parametrize("case", HOSTILE_ZIPS)
def test_a_zip_that_cannot_be_predictions_is_refused_in_a_line(release, case):
    folder, _ = release
    members, message = HOSTILE_ZIPS[case]
    zipped(folder / "p.zip", members)
    tracemalloc.start()
    with pytest.raises(InputError, match=rf"p\.zip.*{message}") as raised:
        score(folder, "p.zip")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200 << 20
    assert str(raised.value).isprintable()


def test_a_damaged_zip_is_refused_in_a_line(release):
    folder, series = release
    flipped(
        zipped(
            folder / "p.zip", [("noxi-base/002/expert.engagement.prediction.csv", lines(series["002", "expert"][0]))]
        )
    )
    with pytest.raises(InputError, match=r"p\.zip: not a readable zip"):
        score(folder, "p.zip")


def test_a_constant_prediction_packs_well_and_is_read(release):
    folder, series = release
    members = []
    for (session, role), (pred, _) in series.items():
        name = NAMES_2026[role.startswith("subject")].format(session, role)
        members.append((name, "0.5000000000000000\n" * len(pred)))
    zipped(folder / "p.zip", members)
    assert score(folder, "p.zip")["corpora"]["noxi"]["frames"] == 280 + 281 + 282


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_file_far_longer_than_its_labels_is_not_read(release, kind):
    folder, _ = release
    path = folder / "p26" / EXPERT
    if kind == "parquet":
        path.unlink()
        path = path.with_name("expert.parquet")
        column = pa.DictionaryArray.from_arrays(
            pa.array(np.zeros(3_000_000, np.int8)), pa.array([0.5])
        ).dictionary_decode()
        pq.write_table(pa.table({"prediction": column}), path, compression="zstd")
        assert path.stat().st_size < 20_000
    else:
        path.write_bytes(b"0\n" * 5_000_000)
    tracemalloc.start()
    with pytest.raises(InputError, match=r"expert\..*(9\.5 MiB for 302 label frames|3000000 rows)"):
        score(folder, "p26")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 << 20


def test_names_of_files_reach_the_terminal_in_printed_letters(release, capsys):
    folder, _ = release
    write(folder / "p26/noxi-base/\x1b[2J/expert.engagement.prediction.csv", [0.5])
    score(folder, "p26")
    printed = capsys.readouterr()
    assert "\x1b" not in printed.err + printed.out
    assert r"noxi-base/\x1b[2J/expert" in printed.err
