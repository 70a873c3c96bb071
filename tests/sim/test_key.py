"""A session is made again if and only if code that writes its files has changed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from damamba_sim.corpora.sessions import plan_corpora
from damamba_sim.recording.key import session_key
from tests.conftest import frozen_params

ROOT = Path(__file__).parents[2]
CODE_OF = (
    "from damamba_sim.recording.key import CHANNEL_WRITERS, MEDIA_WRITERS; from damamba.keys import source_digest;"
    "print(source_digest(*CHANNEL_WRITERS), source_digest(*MEDIA_WRITERS))"
)


def digests(root: Path) -> tuple[str, str]:
    """Hash of the code that writes channels, and of that which writes media, in the packages below `root`."""
    command = [sys.executable, "-c", CODE_OF]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=root, env={"PYTHONPATH": str(root)})
    channels, media = done.stdout.split()
    return channels, media


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """A copy of the packages that a test may edit, and the hashes of its code."""
    root = tmp_path_factory.mktemp("packages")
    for name in ("damamba", "damamba_sim"):
        shutil.copytree(
            ROOT / name, root / name, ignore=lambda folder, files: [f for f in files if not is_code(folder, f)]
        )
    return root, digests(root)


def is_code(folder: str, name: str) -> bool:
    return name.endswith(".py") or (Path(folder, name).is_dir() and name != "__pycache__")


@pytest.mark.parametrize(
    ("file", "old", "new", "changed"),
    [
        ("damamba_sim/faces/skin.py", "\n\n\nclass Canvas:", "\n\n\n# a comment\nclass Canvas:", (False, False)),
        ("damamba_sim/behaviour/turns.py", '"""Time from a point', '"""Seconds from a point', (False, False)),
        ("damamba_sim/faces/skin.py", "SUBPIXEL_BITS = 4", "SUBPIXEL_BITS = 5", (False, True)),
        ("damamba_sim/voices/espeak_worker.py", "UNCLIPPED_VOLUME = 40", "UNCLIPPED_VOLUME = 41", (False, True)),
        ("damamba_sim/recording/video.py", "kept[:1] = True", "kept[:2] = True", (False, True)),
        ("damamba_sim/behaviour/traits.py", "GREY = 128.0", "GREY = 129.0", (False, True)),
        ("damamba_sim/behaviour/gestures.py", "NOD_HZ = 2.5", "NOD_HZ = 2.6", (True, True)),
        ("damamba_sim/recording/annotation.py", "plan.seed, 4, seat", "plan.seed, 5, seat", (True, True)),
        ("damamba_sim/oracle/readers.py", "CLIP_SD = 5.0", "CLIP_SD = 6.0", (False, False)),
        ("damamba_sim/rendering/faces.py", "FOLDS = 10", "FOLDS = 11", (False, False)),
        ("damamba_sim/corpora/checks.py", "SHORTEST_MIN = 0.05", "SHORTEST_MIN = 0.06", (False, False)),
    ],
)
def test_only_code_that_writes_a_session_changes_its_key(packages, file, old, new, changed):
    root, before = packages
    path = root / file
    source = path.read_text(encoding="utf8")
    assert source.count(old) == 1
    path.write_text(source.replace(old, new), encoding="utf8")
    try:
        after = digests(root)
    finally:
        path.write_text(source, encoding="utf8")
    assert (after[0] != before[0], after[1] != before[1]) == changed


@pytest.mark.parametrize(
    ("parameter", "value", "changed"),
    [
        ("minutes", 0.7, (True, True)),
        ("law", "full", (True, True)),
        ("seed", 5, (True, True)),
        ("resolution", (64, 64), (False, True)),
        ("fps", 30.0, (False, True)),
        ("flaws", 0.9, (False, True)),
    ],
)
def test_only_parameters_that_shape_a_session_change_its_key(tmp_path, parameter, value, changed):
    face_model = tmp_path / "face_landmarker.task"
    face_model.write_bytes(b"a mesh")

    def key(features_only: bool, **changes) -> str:
        params = frozen_params().simulate.model_copy(update={"features_only": features_only, **changes})
        return session_key(plan_corpora(params)[0], params, face_model)

    different = tuple(key(only) != key(only, **{parameter: value}) for only in (True, False))
    assert different == changed
    before = key(True), key(False)
    face_model.write_bytes(b"another mesh")
    assert (key(True) == before[0], key(False) == before[1]) == (True, False)


def test_planning_a_corpus_loads_no_renderer_and_no_voices():
    code = "import sys, damamba_sim.corpora.sessions; print([m for m in ('numba', 'cv2', 'av') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
