"""A session is made again if and only if code that writes its files has changed."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from damamba_sim.corpora.sessions import plan_corpora
from damamba_sim.recording.key import session_key
from tests.conftest import frozen_params

ROOT = Path(__file__).parents[2]
NOTHING, MEDIA, ALL = (False, False), (False, True), (True, True)
"""Whether sessions without media change, and sessions with media."""
EDITS = {
    "a comment": ("damamba_sim/faces/skin.py", "class Canvas:", "class Canvas:  # a comment", NOTHING),
    "a docstring": ("damamba_sim/behaviour/turns.py", '"""Time from a point', '"""Seconds from a point', NOTHING),
    "skin": ("damamba_sim/faces/skin.py", "SUBPIXEL_BITS = 4", "SUBPIXEL_BITS = 5", MEDIA),
    "the speech worker": ("damamba_sim/voices/espeak_worker.py", "VOLUME = 40", "VOLUME = 41", MEDIA),
    "video": ("damamba_sim/recording/video.py", "kept[:1] = True", "kept[:2] = True", MEDIA),
    "traits": ("damamba_sim/behaviour/traits.py", "GREY = 128.0", "GREY = 129.0", MEDIA),
    "gestures": ("damamba_sim/behaviour/gestures.py", "NOD_HZ = 2.5", "NOD_HZ = 2.6", ALL),
    "annotation": ("damamba_sim/recording/annotation.py", "plan.seed, 4, seat", "plan.seed, 5, seat", ALL),
    "the oracle": ("damamba_sim/oracle/readers.py", "CLIP_SD = 5.0", "CLIP_SD = 6.0", NOTHING),
    "rendering": ("damamba_sim/rendering/faces.py", "FOLDS = 10", "FOLDS = 11", NOTHING),
    "checks": ("damamba_sim/corpora/checks.py", "SHORTEST_MIN = 0.05", "SHORTEST_MIN = 0.06", NOTHING),
}
DIGESTS_OF_EDITS = """
import json, sys
from pathlib import Path
from damamba_sim.recording.key import writer_digest

def digests():
    writer_digest.cache_clear()
    return writer_digest(True), writer_digest(False)

before, changed = digests(), {}
for name, (file, old, new, _) in json.load(sys.stdin).items():
    source = Path(file).read_text(encoding="utf8")
    assert source.count(old) == 1, name
    Path(file).write_text(source.replace(old, new), encoding="utf8")
    after = digests()
    Path(file).write_text(source, encoding="utf8")
    changed[name] = [one != other for one, other in zip(before, after)]
print(json.dumps(changed))
"""


def is_code(folder: str, name: str) -> bool:
    return name.endswith(".py") or (Path(folder, name).is_dir() and name != "__pycache__")


@pytest.fixture(scope="module")
def changed(tmp_path_factory):
    """Which digests change by each edit, in a copy of the packages."""
    root = tmp_path_factory.mktemp("packages")
    for name in ("damamba", "damamba_sim"):
        shutil.copytree(
            ROOT / name, root / name, ignore=lambda folder, files: [f for f in files if not is_code(folder, f)]
        )
    done = subprocess.run(
        [sys.executable, "-c", DIGESTS_OF_EDITS],
        input=json.dumps(EDITS),
        check=True,
        capture_output=True,
        text=True,
        cwd=root,
        env={"PYTHONPATH": str(root)},
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", EDITS)
def test_only_code_that_writes_a_session_changes_its_key(changed, name):
    assert tuple(changed[name]) == EDITS[name][-1]


@pytest.mark.parametrize(
    ("parameter", "value", "changed"),
    [
        ("minutes", 0.7, (True, True)),
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
