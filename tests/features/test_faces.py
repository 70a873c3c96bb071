from pathlib import Path

import numpy as np
import pytest

from damamba.config import FacesParams
from damamba.console import InputError
from damamba.corpus.manifest import Participant
from damamba.features.extractor import ExtractorInput
from damamba.features.faces import FaceTracker
from damamba.features.landmarker import check_model
from damamba.streams.face_track import CHANNELS
from tests.conftest import make_video

MODEL = Path(__file__).parents[2] / "data/landmarker/face_landmarker.task"
PARAMS = FacesParams(model=str(MODEL), min_confidence=0.5, min_found=0.02)


def test_a_video_without_any_face_is_refused_with_the_remedy(tmp_path):
    path = make_video(tmp_path / "empty.mp4", np.arange(5) / 25, size=(320, 240))
    participant = Participant("own", "s", "p", "p", "train", "en", "x", str(path), str(path), "", rate_hz=25.0)
    tracker = FaceTracker(PARAMS)
    tracker.load()
    with pytest.raises(InputError, match=r"empty\.mp4: a face in 0 of 5 frames.*min_found.*crop or enlarge"):
        tracker.extract(ExtractorInput(participant))


def test_messages_about_a_missing_or_changed_model_file_have_the_command(tmp_path):
    with pytest.raises(InputError, match="missing; get it: dvc repro landmarker"):
        check_model(tmp_path / "m.task")
    (tmp_path / "m.task").write_bytes(b"other")
    with pytest.raises(InputError, match=r"sha256 .* expected"):
        check_model(tmp_path / "m.task")
    check_model(MODEL)


def test_channels_are_box_head_and_landmarks():
    assert len(CHANNELS) == 4 + 16 + 2 * 478
    assert CHANNELS[20] == "landmark_0_x_px"
