"""The picture of a person who is meant, in the column `reference` of the manifest."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from damamba.console import InputError
from damamba.corpus.manifest import Participant
from damamba.corpus.region import Region
from damamba.features.follow import everyone
from damamba.features.landmarker import Landmarker
from damamba.features.look import look_of
from damamba.features.meant import Meant

LONGEST_PX = 1920
"""A larger picture is scaled down to this side."""


def meant_of(participant: Participant, landmarker: Landmarker) -> Meant | None:
    """Who is meant by the columns `region` and `reference` of the manifest; None where both are empty.

    Raises:
        InputError: The picture cannot be read, or does not show one face.
    """
    if not participant.region and not participant.reference:
        return None
    meant = Meant(Region.parse(participant.region) if participant.region else None)
    if participant.reference:
        meant.looks.learn(reference_look(Path(participant.reference), landmarker))
        meant.pictured = True
    return meant


def reference_look(path: Path, landmarker: Landmarker) -> NDArray[np.float32]:
    """Look of the person in a picture, as of `look_of`.

    Raises:
        InputError: It cannot be read, or shows no face or several.
    """
    image = _picture(path)
    faces = everyone(landmarker, image)
    if len(faces) != 1:
        shown = f"{len(faces)} faces" if faces else "no face"
        raise InputError(
            f"{path}: shows {shown}; a reference shows the face of one person: cut it out of the recording itself"
        )
    return look_of(image, faces[0].landmarks_px)


def _picture(path: Path) -> NDArray[np.uint8]:
    """(height, width, 3) RGB; raises `InputError` where it cannot be read."""
    try:
        coded = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); correct the column reference") from None
    image = cv2.imdecode(coded, cv2.IMREAD_COLOR) if len(coded) else None
    if image is None:
        raise InputError(f"{path}: no picture that can be read; a reference is a PNG or JPEG of a person's face")
    image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    shrink = LONGEST_PX / max(image.shape)
    if shrink < 1:
        image = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    return image.astype(np.uint8)
