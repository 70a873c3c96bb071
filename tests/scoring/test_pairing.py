"""Findings about a prediction file, word by word: number of lines, size of the file, values out of range."""

import numpy as np
import pytest

from damamba.scoring.pairing import BASE_BYTES, MOST_BYTES_A_VALUE, SLACK_FRAMES, pair
from damamba.scoring.truth import LabelledSeries

N = 100


def truth(n=N, valid=None):
    value = np.linspace(0.1, 0.9, n)
    value[valid or n :] = np.nan
    return LabelledSeries("noxi", "001", "expert", "test", "expert", "en", "", value)


def paired(folder, values, labels=None, text=None):
    path = folder / "noxi/001/expert.engagement.prediction.csv"
    path.parent.mkdir(parents=True)
    path.write_text(text if text is not None else "".join(f"{value}\n" for value in values))
    (one,), findings = pair(folder, [labels or truth()])
    return one, {finding.kind: finding.text for finding in findings}


def test_a_file_that_fits_is_told_nothing(tmp_path):
    one, found = paired(tmp_path, np.linspace(0, 1, N))
    assert found == {}
    np.testing.assert_allclose(one.by_frame()[0], np.linspace(0, 1, N))


@pytest.mark.parametrize(
    ("n", "told"),
    [
        (N + 1, "101 lines, the label has 100; the last 1 are cut"),
        (N + SLACK_FRAMES, "132 lines, the label has 100; the last 32 are cut"),
        (N - 1, "99 lines, the label has 100; the last 1 frames are missing"),
        (N - SLACK_FRAMES, "68 lines, the label has 100; the last 32 frames are missing"),
    ],
)
def test_a_few_lines_more_or_less_are_counted(tmp_path, n, told):
    one, found = paired(tmp_path, np.full(n, 0.5))
    assert found == {"count": told}
    pred, label = one.by_frame()
    assert len(pred) == len(label) == N
    assert np.isfinite(pred).sum() == min(n, N)


@pytest.mark.parametrize(("n", "seconds"), [(N + SLACK_FRAMES + 1, "5.3"), (N - SLACK_FRAMES - 1, "2.7")])
def test_a_length_beyond_the_slack_is_wrong(tmp_path, n, seconds):
    _, found = paired(tmp_path, np.full(n, 0.5))
    assert set(found) == {"length"}
    assert found["length"].startswith(f"{n} lines are {seconds} s, the label has 100 (4.0 s); write 25 a second")


def test_predictions_for_valid_frames_alone_are_recognised(tmp_path):
    _, found = paired(tmp_path, np.full(60, 0.5), truth(valid=60))
    assert set(found) == {"length"}
    assert "60 lines, as many as the label has valid ones, of 100" in found["length"]


@pytest.mark.parametrize(("value", "outside"), [(1.0, 0), (0.0, 0), (1.001, 3), (1.5, 3), (-0.001, 3)])
def test_values_out_of_range_are_counted(tmp_path, value, outside):
    values = np.full(N, 0.5)
    values[:3] = value
    _, found = paired(tmp_path, values)
    assert found == (
        {"range": f"{outside} of 100 values lie outside [0, 1]; they are scored as given"} if outside else {}
    )


def test_values_that_are_not_finite_are_counted(tmp_path):
    few, many = np.full(N, 0.5), np.full(N, 0.5)
    few[:SLACK_FRAMES] = np.nan
    many[: SLACK_FRAMES + 1] = np.nan
    _, found = paired(tmp_path / "few", few)
    assert found == {"not finite": "32 of 100 values are not finite; these frames are missing"}
    _, found = paired(tmp_path / "many", many)
    assert found == {
        "frames missing": "33 of 100 values are not finite, 33 of them where there is a label; predict every frame"
    }


def test_a_file_is_read_up_to_the_size_that_its_labels_allow(tmp_path):
    most = MOST_BYTES_A_VALUE * (N + SLACK_FRAMES) + BASE_BYTES
    digits, rest = divmod(most, N)
    line = f"{'0.5':0<{digits - 1}}\n"
    within = line * (N - 1) + f"{'0.5':0<{digits - 1 + rest}}\n"
    assert len(within) == most
    _, found = paired(tmp_path / "within", None, text=within)
    assert found == {}
    _, found = paired(tmp_path / "beyond", None, text=within[:-1] + "0\n")
    assert any("for 100 label frames; expected one number a line" in text for text in found.values())
