"""The stage `extract`, with a cue that comes with damamba and one of one's own."""

import runpy
from pathlib import Path

import pytest
import yaml

from damamba.corpus.manifest import Manifest, Participant
from damamba.files import sha256
from damamba.streams.reader import read_stream
from tests.conftest import frozen_values, make_video

ROOT = Path(__file__).parents[2]
LEVEL = """
import numpy as np

from damamba.config import Section
from damamba.features.extractor import Extractor, ExtractorInput
from damamba.media.decode import read_frames
from damamba.streams.stream import FeatureStream


class LevelParams(Section):
    gain: float


class Level(Extractor[LevelParams]):
    Params = LevelParams
    media = "video"

    def extract(self, source: ExtractorInput) -> FeatureStream:
        t_s, x = np.array([(frame.t_s, self.params.gain * frame.image.mean()) for frame in read_frames(source.video)]).T
        valid = np.ones(len(t_s), bool)
        rate_hz = source.participant.rate_hz
        return FeatureStream(t_s, x[:, None].astype("f4"), valid, valid.astype("f4"), rate_hz, ("level",), "level")
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with one recording and with the cue `light`, whose extractor is `my_cues.level`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_cues").mkdir()
    (tmp_path / "my_cues/level.py").write_text(LEVEL)
    values = frozen_values()
    values["cues"]["light"] = {"group": "visual", "extractor": "my_cues.level", "reads": "corpus", "gain": 2.0}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    video = make_video(tmp_path / "v.mp4", [i / 25 for i in range(10)], [0.5] * 10)
    person = Participant(
        "own", "s", "p", "p", "train", "en", "x", "v.mp4", "v.mp4", "", sha256(video), "", 0.4, 25.0, 10
    )
    Manifest((person,)).write(tmp_path / "data/corpus/manifest.jsonl")
    return tmp_path


@pytest.fixture
def stage(project, monkeypatch):
    """Run the stage in the project; its exit code."""

    def run(*arguments: str) -> int:
        monkeypatch.setattr("sys.argv", ["extract.py", *arguments, "--jobs", "1"])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(ROOT / "stages/extract.py"), run_name="__main__")
        return ended.value.code

    return run


def test_a_cue_of_ones_own_is_a_file_and_an_entry_in_params(project, stage, capsys):
    assert stage("light") == 0
    assert "extract-light: 1 participants made, 0 kept" in capsys.readouterr().out
    stream = read_stream(project / "data/features/light/own/s/p.parquet", "")
    assert stream.x == pytest.approx(2 * 127, abs=6)
    assert stage("light", "--session", "own/s") == 0
    assert "1 participants up to date" in capsys.readouterr().out


def test_a_wrong_setting_of_ones_own_cue_is_refused(project, stage, capsys):
    params = project / "params.yaml"
    params.write_text(params.read_text().replace("gain: 2.0", "gian: 2.0"))
    assert stage("light") == 1
    assert "params.yaml: cues.light: gain: Field required" in capsys.readouterr().err


def test_an_unknown_cue_is_refused(stage, capsys):
    assert stage("lihgt") == 1
    assert "no cue 'lihgt' under `cues`; there are wav2vec2, emotion" in capsys.readouterr().err
