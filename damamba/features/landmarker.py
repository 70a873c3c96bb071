"""MediaPipe's FaceLandmarker: check the pinned model file, open it, find faces in a picture."""

import hashlib
import locale
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

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
        yield landmarker


def detect(landmarker: Any, image: np.ndarray) -> Any:
    """MediaPipe's result for a (height, width, 3) uint8 RGB picture."""
    import mediapipe

    return landmarker.detect(mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image)))


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
