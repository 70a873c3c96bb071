"""The file of MediaPipe's FaceLandmarker that is pinned."""

import hashlib
from pathlib import Path

from damamba.console import InputError

SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"


def check_model(path: Path) -> None:
    """Refuse a landmarker file that is missing or is not the pinned one.

    Raises:
        InputError: With the command that gets it.
    """
    if not path.is_file():
        raise InputError(f"{path}: the face landmarker's model is missing; get it: dvc repro landmarker")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != SHA256:
        raise InputError(
            f"{path}: sha256 {digest[:12]}…, expected {SHA256[:12]}…; "
            f"remove it and get it again: rm {path} && dvc repro landmarker"
        )
