"""MediaPipe's FaceLandmarker: its networks, run one by one, so that a face that is followed needs no detector.

The file holds a face detector, a network for landmarks and one for blendshapes. MediaPipe's own library runs all of
them on every picture (or smooths, and lags behind), and takes twice the time of the networks; numbers are the same.

Source:
    MediaPipe's model cards "BlazeFace (short range)", "Attention Mesh" (Grishchenko et al. 2020, arXiv:2006.10962)
    and "Blendshape V2".
"""

import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from damamba.features.crop import part_of
from damamba.features.face_detector import SIDE_PX, Spot, spots
from damamba.features.head import HeadFit
from damamba.media.picture import AnyPicture
from damamba.streams.face_mesh import read_canonical

FACE_PX = 256
"""Side of the picture of a face that the network of landmarks takes."""
SHAPED = np.array(
    [
        *(0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70, 78),
        *(80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149, 150),
        *(152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197),
        *(234, 246, 249, 251, 263, 267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308),
        *(310, 311, 312, 314, 317, 318, 321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377),
        *(378, 379, 380, 381, 382, 384, 385, 386, 387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466),
        *range(468, 478),
    ]
)
"""Landmarks that the network of blendshapes takes."""


@dataclass(frozen=True)
class FoundFace:
    """A face in a picture."""

    landmarks_px: NDArray[np.float64]
    """(478, 2) x to the right, y down."""
    head: NDArray[np.float64]
    """(4, 4) from the canonical face to the camera, cm."""
    shapes: NDArray[np.float32]
    """(52,) blendshape scores."""


class Landmarker:
    """Finds faces in pictures, and reads a face whose place is known; every picture by itself.

    Args:
        model: FaceLandmarker file.
        confidence: Least confidence of detection and presence.
    """

    def __init__(self, model: Path, confidence: float = 0.5) -> None:
        self._confidence = confidence
        self._head = HeadFit(read_canonical(model))
        with zipfile.ZipFile(model) as archive, without_native_log():
            self._detector = _Network(archive.read("face_detector.tflite"))
            self._landmarks = _Network(archive.read("face_landmarks_detector.tflite"))
            self._shapes = _Network(archive.read("face_blendshapes.tflite"))

    def find(self, image: NDArray[np.uint8]) -> list[Spot]:
        """Places of the faces in a (height, width, 3) RGB picture, the surest first.

        A face that takes less than about an eighth of the longer side is overlooked.
        """
        height, width = image.shape[:2]
        whole = Spot(np.array([width / 2, height / 2]), max(height, width), 0.0)
        square, to_picture = _cut(image, whole, SIDE_PX, cv2.BORDER_CONSTANT)
        raw, logits = self._detector(square.astype(np.float32) / np.float32(127.5) - 1)
        scale = to_picture[0, 0]
        return [
            Spot(spot.middle * scale + to_picture[:, 2], spot.side * scale, spot.turn)
            for spot in spots(raw[0], logits[0, :, 0], self._confidence)
        ]

    def read(self, picture: AnyPicture, spot: Spot) -> FoundFace | None:
        """The face in a part of a picture; None where it shows none.

        Args:
            picture: (height, width, 3) RGB.
            spot: Where the face is, by `find` or `spot_of` the frame before.
        """
        square, to_picture = _cut(picture, spot, FACE_PX, cv2.BORDER_REPLICATE)
        raw, logit, _ = self._landmarks(square.astype(np.float32) / 255)
        if logit.item() <= np.log(self._confidence / (1 - self._confidence)):
            return None
        points = raw.reshape(-1, 3).astype(np.float64)
        points[:, :2] = points[:, :2] @ to_picture[:, :2].T + to_picture[:, 2]
        points[:, 2] *= spot.side / FACE_PX
        landmarks = np.ascontiguousarray(points[:, :2])
        (shapes,) = self._shapes(landmarks[SHAPED].astype(np.float32))
        return FoundFace(landmarks, self._head.transform(points, picture.shape), shapes.ravel())


class _Network:
    """A network in TensorFlow Lite's format, on one thread."""

    def __init__(self, content: bytes) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter = Interpreter(model_content=content, num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = [output["index"] for output in self._interpreter.get_output_details()]

    def __call__(self, x: np.ndarray) -> list[NDArray[np.float32]]:
        """All outputs for one input, without the axis of batches."""
        self._interpreter.set_tensor(self._input, x[None])
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


def _cut(picture: AnyPicture, spot: Spot, side_px: int, border: int) -> tuple[np.ndarray, NDArray[np.float64]]:
    """A square part of a picture at another size, and the (2, 3) matrix from its px to those of the picture."""
    along = np.array([np.cos(spot.turn), np.sin(spot.turn)]) * spot.side / side_px
    linear = np.array([[along[0], -along[1]], [along[1], along[0]]])
    to_picture = np.column_stack([linear, spot.middle - linear @ np.full(2, side_px / 2)])
    part, corner = part_of(picture, to_picture, side_px)
    to_part = np.column_stack([linear, to_picture[:, 2] - corner])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(part, to_part, (side_px, side_px), flags=flags, borderMode=border), to_picture


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
