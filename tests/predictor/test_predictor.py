"""Which videos are whose, models whose cues do not fit, files and page; that scores are the pipeline's: test_dag."""

import csv
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from damamba.commands.predict import conversations_of
from damamba.console import InputError
from damamba.corpus.annotations import read_annotation
from damamba.data.shards import Cue
from damamba.model.checkpoint import write_checkpoint
from damamba.predictor.inputs import ModelInputs
from damamba.predictor.page import write_page
from damamba.predictor.result import OtherLabel, ParticipantPrediction, Prediction
from damamba.predictor.videos import Conversation
from tests.conftest import frozen_params
from tests.report.test_report import unpacked

HOSTILE = '</script><img src=x onerror=alert(1)>"&.mp4'


def touch(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return [folder / name for name in names]


def test_files_are_one_conversation_with_the_sound_beside_them(tmp_path):
    anna, bob, _ = touch(tmp_path, "anna.video.mp4", "bob.mp4", "anna.audio.wav")
    found = Conversation.of_files([anna], [bob])
    assert [(p.name, p.audio.name, p.predicted) for p in found.people] == [
        ("anna", "anna.audio.wav", True),
        ("bob", "bob.mp4", False),
    ]


def test_people_of_the_same_name_are_told_apart(tmp_path):
    videos = touch(tmp_path, "a/cam.mp4", "b/cam.mp4", "c/камера.mp4")
    names = [one.name for one in Conversation.of_files(videos).people]
    assert len({name.lower() for name in names}) == 3
    assert all(re.fullmatch(r"[A-Za-z0-9][\w.-]*", name) for name in names)


def test_a_folder_has_a_conversation_for_each_folder_in_it(tmp_path):
    touch(tmp_path, "s1/anna.mp4", "s1/bob.mp4", "s2/anna.mp4", "s2/bob.mp4", "s2/bob.wav")
    found = conversations_of([tmp_path], [])
    assert [(one.name, [p.name for p in one.people]) for one in found] == [
        ("s1", ["anna", "bob"]),
        ("s2", ["anna", "bob"]),
    ]
    assert found[1].people[1].audio.name == "bob.wav"


@pytest.mark.parametrize(
    ("videos", "partners", "message"),
    [
        (["gone.mp4"], [], r"gone\.mp4: no such file"),
        (["a.mp4", "a.mp4"], [], r"a\.mp4: named twice"),
        (["a.mp4"], ["a.mp4"], r"a\.mp4: named twice"),
        (["a.mp4", "s1"], [], r"s1: is a folder; name either videos"),
        (["s1"], ["a.mp4"], r"s1: is a folder; name either videos"),
        (["empty"], [], r"empty: no video in it"),
    ],
)
def test_what_cannot_be_predicted_is_refused_by_name(tmp_path, videos, partners, message):
    touch(tmp_path, "a.mp4", "s1/b.mp4")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=message):
        conversations_of([tmp_path / name for name in videos], [tmp_path / name for name in partners])


def model(folder: Path, cues: dict | None = None, described: bool = True) -> Path:
    """A model's folder, as far as its inputs go."""
    params = frozen_params()
    cues = cues or {"flow": params.cues["flow"].model_dump()}
    source = {"group": "visual", "width": 76, "extractor": "flow", "checkpoint": "", "revision": "", "lookahead_s": 0}
    inputs = {
        "cues": cues,
        "sources": dict.fromkeys(cues, source),
        "faces": params.faces.model_dump(),
        "align": params.align.model_dump(),
    }
    said = {"architecture": "ridge", "settings": {}, "cues": {"visual": {"flow": 76}}, "rate_hz": 25}
    write_checkpoint(folder, {}, said | ({"inputs": inputs} if described else {}))
    return folder


def test_another_encoder_is_refused_by_name(tmp_path):
    inputs = ModelInputs.of(model(tmp_path))
    inputs.check({"flow": Cue("visual", 76, "flow", "", "", 0.0)})
    with pytest.raises(
        InputError, match=r"cue flow: not the encoder .* \(revision 'abc' instead of '', width 12 instead"
    ):
        inputs.check({"flow": Cue("visual", 12, "flow", "", "abc", 0.0)})


def test_an_encoder_whose_weights_have_changed_is_refused_before_any_work(tmp_path):
    clip = frozen_params().cues["clip"].model_dump()
    with pytest.raises(InputError, match=r"cue clip: .*compact-clip has other weights \(\w{12}\) than in training"):
        ModelInputs.of(model(tmp_path, {"clip": clip}))


def test_a_model_of_released_streams_or_of_an_earlier_version_is_refused(tmp_path):
    released = {"group": "visual", "extractor": "official", "reads": "corpus", "stream": "openface2"}
    with pytest.raises(InputError, match="its cue face is a stream that came with a corpus"):
        ModelInputs.of(model(tmp_path / "a", {"face": released}))
    with pytest.raises(InputError, match="does not say how its cues are computed"):
        ModelInputs.of(model(tmp_path / "b", described=False))


def prediction(video: Path, **model) -> Prediction:
    engagement = np.linspace(0, 1, 100, dtype=np.float32)
    engagement[40:50] = np.nan
    seen = {"clip": np.isfinite(engagement), "flow": np.isfinite(engagement) & (np.arange(100) > 4)}
    people = tuple(ParticipantPrediction("s", name, video, engagement, seen) for name in ("anna", "bob"))
    return Prediction(people, ("<b>a note</b>",), {"cues": {}, **model})


def test_further_labels_have_columns_of_their_names(tmp_path):
    one = prediction(tmp_path / "v.mp4").participants[0]
    classes = np.stack([one.engagement, 1 - one.engagement], 1)
    also = {"rapport": OtherLabel(classes, ("high", "low")), "mood": OtherLabel(1 - one.engagement, ())}
    Prediction((replace(one, also=also),), (), {}).write(tmp_path)
    names = ["time_s", "engagement", "rapport", "rapport.p.high", "rapport.p.low", "mood", "clip", "flow"]
    table, (first, *rest) = (
        pq.read_table(tmp_path / "s/anna.parquet"),
        csv.reader((tmp_path / "s/anna.csv").read_text().splitlines()),
    )
    assert table.column_names == first == names
    assert table["rapport"].null_count == table["mood"].null_count == 10
    assert table["rapport"].to_pylist()[::99] == ["low", "high"]
    for row, expected in zip(rest, table.to_pylist(), strict=True):
        assert row[2] == (expected["rapport"] or "")
        assert row[5] == ("" if expected["mood"] is None else f"{expected['mood']:.4f}")


def test_missing_stays_missing_in_every_file(tmp_path):
    made = prediction(tmp_path / "v.mp4")
    files = made.write(tmp_path, ("elan", "nova"))
    assert all(path.is_file() for path in files)
    table = pq.read_table(tmp_path / "s/anna.parquet")
    assert table["engagement"].null_count == 10
    assert table.equals(made.participants[0].to_arrow())
    rows = list(csv.DictReader((tmp_path / "s/anna.csv").read_text().splitlines()))
    assert [row["engagement"] == "" for row in rows] == np.isnan(made.participants[0].engagement).tolist()
    assert float(rows[99]["time_s"]) == 3.96
    assert [row["flow"] for row in rows[:6]] == ["0"] * 5 + ["1"]
    nova = read_annotation(tmp_path / "s/anna.engagement.annotation").labels(100)
    np.testing.assert_array_equal(nova.valid, table["engagement"].is_valid())
    np.testing.assert_allclose(nova.value[nova.valid], made.participants[0].engagement[nova.valid], atol=1e-6)
    assert len(read_annotation(tmp_path / "s/anna.eaf").labels(100)) == 100
    assert json.loads((tmp_path / "prediction.json").read_text())["notes"] == ["<b>a note</b>"]


def test_names_stay_text_on_the_page_and_the_series_is_whole(tmp_path):
    out = tmp_path / "out"
    write_page(prediction(tmp_path / HOSTILE, simulated=True), out / "report.html")
    page = (out / "report.html").read_text()
    assert "<img" not in page
    assert "<b>a note" not in page
    assert "Trained on simulated people" in page
    data = json.loads(re.search(r'<script id="data"[^>]*>(.*?)</script>', page, re.DOTALL).group(1))
    person = data["sessions"][0]["participants"][0]
    assert person["video"].startswith("../")
    values = unpacked(person["curves"][0]["packed"])
    assert np.isnan(values).tolist() == [40 <= i < 50 for i in range(100)]
    assert person["missing"]["flow"] == [[0, 5], [40, 50]]
    assert not re.search(r"""(src|href)=["']https?:""", page)


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, damamba; print([m for m in ('torch', 'numpy', 'av', 'cv2', 'pyarrow') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
