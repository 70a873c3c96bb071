"""Under locales in which ``I`` is not the capital of ``i``."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
MODEL = ROOT / "data/landmarker/face_landmarker.task"
SCRIPT = """
import ctypes, locale, sys
from pathlib import Path
import numpy as np
from damamba.features.landmarker import Landmarker

faces = Landmarker(Path(sys.argv[1])).find(np.zeros((64, 64, 3), np.uint8))
print(locale.setlocale(locale.LC_CTYPE), chr(ctypes.CDLL(None).towlower(ord("I"))), len(faces))
"""


@pytest.fixture(scope="module")
def locales(tmp_path_factory):
    """Folder of two compiled locales, for LOCPATH."""
    if not shutil.which("localedef") or not Path("/usr/share/i18n/locales/tr_TR").is_file():
        pytest.skip("localedef or the sources of locales are not installed")
    folder = tmp_path_factory.mktemp("locales")
    for name in ("tr_TR", "az_AZ"):
        subprocess.run(["localedef", "-i", name, "-f", "UTF-8", folder / f"{name}.UTF-8"], check=True)
    return folder


@pytest.mark.skipif(not MODEL.is_file(), reason="the landmarker is not there: dvc repro landmarker")
@pytest.mark.parametrize("name", ["tr_TR.UTF-8", "az_AZ.UTF-8"])
def test_the_landmarker_opens_under_turkic_locales(locales, name):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LOCPATH": str(locales), "LC_ALL": name}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, MODEL], env=environment, capture_output=True, text=True, encoding="utf8"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [name, "ı", "0"]
