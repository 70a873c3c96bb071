"""MediaPipe's FaceLandmarker: check the pinned model file, open it, find faces in a picture.

Results are copied as arrays out of the structures that MediaPipe's library fills. Its own Python classes hold the same
numbers, but to make an object of every landmark costs a fifth of the time of tracking. The structures are private, so
`open_landmarker` checks that they are as expected.
"""

import ctypes
import hashlib
import locale
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from damamba.console import InputError

SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
MEDIAPIPE = "0.10.31"
"""Version whose private parts `detect` uses."""
RESULT = [
    *("face_landmarks", "face_landmarks_count", "face_blendshapes", "face_blendshapes_count"),
    *("facial_transformation_matrixes", "facial_transformation_matrixes_count"),
]
"""Fields of its result."""


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


@contextmanager
def open_landmarker(model: Path, faces: int, confidence: float = 0.5) -> Iterator[Any]:
    """A landmarker that treats every picture by itself; its results have landmarks, head transforms and blendshapes.

    Args:
        model: FaceLandmarker file.
        faces: Most faces to find in a picture.
        confidence: Least confidence of detection and presence.
    """
    from mediapipe.tasks.python import BaseOptions, vision

    chosen = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(model)),
        running_mode=vision.RunningMode.IMAGE,
        num_faces=faces,
        min_face_detection_confidence=confidence,
        min_face_presence_confidence=confidence,
        output_facial_transformation_matrixes=True,
        output_face_blendshapes=True,
    )
    with without_native_log(), _plain_characters():
        landmarker = vision.FaceLandmarker.create_from_options(chosen)
    with landmarker:
        _check_private_parts(landmarker)
        yield landmarker


def _check_private_parts(landmarker: Any) -> None:
    """Raise `InputError` unless MediaPipe has the private parts that `detect` uses."""
    import mediapipe

    structure = getattr(import_module("mediapipe.tasks.python.vision.face_landmarker"), "FaceLandmarkerResultC", None)
    fields = [name for name, *_ in getattr(structure, "_fields_", ())]
    if fields != RESULT or not hasattr(landmarker, "_lib") or not hasattr(landmarker, "_handle"):
        raise InputError(
            f"mediapipe {mediapipe.__version__}: its face landmarker has other parts than that of {MEDIAPIPE}; "
            f"install that version: pip install mediapipe=={MEDIAPIPE}"
        )


@dataclass(frozen=True)
class FoundFace:
    """A face as MediaPipe found it."""

    landmarks: NDArray[np.float32]
    """(478, 2) x to the right, y down, as shares of the picture's width and height."""
    head: np.ndarray
    """(4, 4) from the canonical face to the camera, cm."""
    shapes: NDArray[np.float32]
    """(52,) blendshape scores."""


def detect(landmarker: Any, image: np.ndarray) -> list[FoundFace]:
    """Faces in a (height, width, 3) uint8 RGB picture."""
    import mediapipe
    from mediapipe.tasks.python.vision.face_landmarker import FaceLandmarkerResultC

    picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image))
    result = FaceLandmarkerResultC()
    landmarker._lib.MpFaceLandmarkerDetectImage(landmarker._handle, picture._image_ptr, None, ctypes.byref(result))
    try:
        counts = {getattr(result, f"{name}_count") for name in RESULT[::2]}
        if len(counts) > 1:
            raise RuntimeError(f"the face landmarker found {sorted(counts)} faces in one picture")
        return [
            FoundFace(
                _columns(result.face_landmarks[i].landmarks, result.face_landmarks[i].landmarks_count, "x", "y"),
                result.facial_transformation_matrixes[i].to_numpy(),
                _columns(
                    result.face_blendshapes[i].categories, result.face_blendshapes[i].categories_count, "score"
                ).ravel(),
            )
            for i in range(result.face_landmarks_count)
        ]
    finally:
        landmarker._lib.MpFaceLandmarkerCloseResult(ctypes.byref(result))


def _columns(first: Any, n: int, *fields: str) -> NDArray[np.float32]:
    """(n, fields) copy of some float fields of the n structures from a pointer on."""
    structure = type(first.contents)
    layout = np.dtype(
        {
            "names": fields,
            "formats": ["f4"] * len(fields),
            "offsets": [getattr(structure, name).offset for name in fields],
            "itemsize": ctypes.sizeof(structure),
        }
    )
    rows = np.frombuffer(ctypes.string_at(first, n * layout.itemsize), layout)
    return np.stack([rows[name] for name in fields], axis=1)


@contextmanager
def _plain_characters() -> Iterator[None]:
    """Lower ``I`` to ``i``: names of the graph are lowered by the locale, and a Turkish one has ``ı``."""
    before = locale.setlocale(locale.LC_CTYPE)
    locale.setlocale(locale.LC_CTYPE, "C")
    try:
        yield
    finally:
        locale.setlocale(locale.LC_CTYPE, before)


@contextmanager
def without_native_log() -> Iterator[None]:
    """Drop what native libraries write to stderr past Python's logging; failures still raise."""
    stderr = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123 (a device)
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
