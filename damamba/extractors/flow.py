"""Cues flow and landmark_flow: motion of the face from one frame to the next, by dense optical flow.

Stream: (N - 1, D) float32 at the video's own rate. The time of a row is the middle of its pair of frames, or with
`causal` the time of the later one. Motion is in face sizes per second (forehead to chin = 1), so neither the distance
to the camera nor a dropped frame changes it.

Both frames of a pair are warped by the same similarity, that of their mean landmarks: jitter of the landmarks moves
both frames alike and causes no flow. A robust fit splits the flow between them:

    flow = similarity of the whole head (4 channels: along the eyes, down, growth 1/s, turn rad/s) + motion on the face

`reduce: grid` is the mean motion (x, y) in each of `cells`² cells, and the 4 channels of the head.
`reduce: landmarks` is the magnitude of the motion at 100 landmarks.
A turn of the head out of the picture plane is not a similarity, so it stays in the motion on the face.

Source:
    Kroeger et al. 2016, arXiv:1603.03590 (DIS flow); cues as in the paper's README; the split is a free choice, see
    docs/design.md.
"""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

import cv2
import numpy as np
from pydantic import Field

from damamba.config import Section
from damamba.features.crop import to_square, upright_square, warp
from damamba.features.extractor import Extractor, ExtractorInput
from damamba.features.stepper import PictureStepper, Rows, SeenFrame, Watcher
from damamba.features.tracked_frames import open_track, tracked_frames
from damamba.media.picture import AnyPicture, luma
from damamba.streams.stream import FeatureStream

CROP = 1.15
"""Side of the stabilised square in face sizes: the face and a margin around it."""
MAX_STEP_S = 0.2
"""Two frames with a longer pause between them give no valid row."""
THUMBNAIL_PX = (16, 12)
CUT_LEAST, CUT_TIMES, CUT_SURELY = 0.12, 8.0, 0.5
"""A cut changes the picture (1 - correlation of small pictures) by the first, and so many times as much as the change
before it, since people who walk through the picture and cameras that pan begin gradually; or by the last."""
NOTHING: Any = None  # OpenCV accepts None for some arrays, its type stubs do not
HEAD = ("head_along", "head_down", "head_growth", "head_turn")
LANDMARKS = {
    "lips": (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146),
    "mouth": (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95),
    "left_eye": (33, 160, 159, 158, 133, 153, 145, 144),
    "right_eye": (263, 387, 386, 385, 362, 380, 374, 373),
    "left_brow": (46, 53, 52, 65, 55, 70, 63, 105, 66, 107),
    "right_brow": (276, 283, 282, 295, 285, 300, 293, 334, 296, 336),
    "nose": (168, 4, 2, 98, 327, 129, 358),
    "cheek": (50, 280, 205, 425, 216, 436),
    "oval": (10, 297, 251, 454, 361, 397, 152, 172, 132, 234, 21),
}
"""MediaPipe's landmark numbers by part of the face; left is the viewer's left."""


class FlowParams(Section):
    """Keys of the cue in params.yaml."""

    reduce: Literal["grid", "landmarks"]
    """How the dense flow is reduced to channels."""
    cells: Annotated[int, Field(ge=1, le=32)]
    """Cells along each side of the grid."""
    side: Annotated[int, Field(ge=32, le=512)]
    """Side of the stabilised face, px."""
    causal: bool = False
    """Rows stand at the later frame of their pair, so that they depend on nothing after their time."""


@dataclass(frozen=True)
class Motion:
    """Motion between two frames, in face sizes per second."""

    head: np.ndarray
    """(4,) similarity of the whole head, as in `HEAD`."""
    face: np.ndarray
    """(side, side, 2) rest of the flow: motion on the face."""


class Flow(Extractor[FlowParams]):
    """Motion of the face from dense optical flow."""

    Params = FlowParams
    media = "video"
    needs_faces = True
    watches = True

    @property
    def lookahead_s(self) -> float | None:
        """0 with `causal`; else the later frame, which may come after a pause of any length."""
        return 0.0 if self.params.causal else None

    def load(self) -> None:
        """Set up flow and fit."""
        # DIS cuts the picture into one stripe per thread: with several, rows would depend on the machine
        cv2.setNumThreads(1)
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        # the preset stops at a quarter of the resolution, too coarse for a mouth: three times the error. At half the
        # resolution it is as exact as the preset MEDIUM, in two thirds of the time
        self._flow.setFinestScale(1)
        self._similarity = SimilarityFit(self.params.side)

    def extract(self, source: ExtractorInput) -> FeatureStream:
        """Motion between each two consecutive frames; raises `InputError` if the track belongs to another video."""
        watcher = self.watcher(source)
        with open_track(source) as faces:
            for _, frame in tracked_frames(source, faces):
                watcher.see(frame)
        return watcher.finish()

    def watcher(self, source: ExtractorInput) -> Watcher:
        """Computes the rows from frames that are decoded for this cue or for another one."""
        return Watcher(self.picture_stepper(), partial(self._stream, source.participant.rate_hz))

    def _stream(self, rate_hz: float, rows: Rows, frames_s: np.ndarray) -> FeatureStream:
        return FeatureStream(
            t_s=frames_s[1:] if self.params.causal else frames_s[:-1] + np.diff(frames_s) / 2,
            x=rows.x,
            valid=rows.valid,
            score=rows.score,
            rate_hz=rate_hz,
            channels=self._channels(),
            extractor="flow",
        )

    def picture_stepper(self) -> PictureStepper:
        """A row at the later frame of each pair."""
        return _Pairs(self)

    def row(self, before: SeenFrame, after: SeenFrame) -> np.ndarray:
        """(D,) motion between two frames with faces; cues with the same `side` share the dense flow."""
        assert before.face
        assert after.face
        landmarks_px = (before.face.landmarks_px + after.face.landmarks_px) / 2
        size_px = (before.face.size_px + after.face.size_px) / 2
        square = upright_square(landmarks_px, size_px, CROP, self.params.side)
        motion = after.once(
            ("motion", before.t_s, self.params.side),
            lambda: self.motion(before.picture, after.picture, square, after.t_s - before.t_s),
        )
        return self._grid(motion) if self.params.reduce == "grid" else self._at(motion, landmarks_px, square)

    @property
    def width(self) -> int:
        """Channels of a row."""
        return len(self._channels())

    def _channels(self) -> tuple[str, ...]:
        if self.params.reduce == "landmarks":
            return tuple(f"{part}_{i}" for part, points in LANDMARKS.items() for i in points)
        cells = range(self.params.cells)
        return (*(f"cell_{row}_{column}_{axis}" for row in cells for column in cells for axis in "xy"), *HEAD)

    def motion(self, before: AnyPicture, after: AnyPicture, square: np.ndarray, step_s: float) -> Motion:
        """Motion from one picture to another, both warped by the affine matrix `square`."""
        side = self.params.side
        first, second = (warp(picture, square, side, is_grey=True) for picture in (before, after))
        dense = self._flow.calc(first, second, NOTHING)
        dense = dense * np.float32(CROP / side / step_s)
        head = self._similarity.fit(dense)
        return Motion(head, dense - self._similarity.field(head))

    def _grid(self, motion: Motion) -> np.ndarray:
        cells = (self.params.cells, self.params.cells)
        return np.concatenate([cv2.resize(motion.face, cells, interpolation=cv2.INTER_AREA).ravel(), motion.head])

    def _at(self, motion: Motion, landmarks_px: np.ndarray, square: np.ndarray) -> np.ndarray:
        points = np.concatenate(list(LANDMARKS.values()))
        where = to_square(landmarks_px[points], square).astype(np.float32)
        smooth = cv2.blur(motion.face, (5, 5))
        sampled = cv2.remap(smooth, where[None], NOTHING, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
        return np.hypot(sampled[:, 0], sampled[:, 1])


class _Pairs(PictureStepper):
    """Motion from each frame to the next."""

    def __init__(self, flow: Flow) -> None:
        self._flow, self.width = flow, flow.width
        self._scene = _Scene()
        self._before: SeenFrame | None = None

    def see(self, frame: SeenFrame) -> Rows:
        is_cut = self._scene.is_cut(frame)
        before, self._before = self._before, frame
        if before is None:
            return Rows.none(self.width)
        x = None
        if before.face and frame.face and frame.t_s - before.t_s <= MAX_STEP_S and not is_cut:
            x = self._flow.row(before, frame)
        return Rows.one(frame.t_s, x, min(before.score, frame.score), self.width)


def _thumbnail(frame: SeenFrame) -> np.ndarray:
    """A small grey picture around its mean, as float64 values."""
    small = cv2.resize(luma(frame.picture), THUMBNAIL_PX, interpolation=cv2.INTER_AREA).astype(np.float64).ravel()
    return small - small.mean()


class _Scene:
    """Finds cuts: pictures that change much more than the pictures before them did."""

    def __init__(self) -> None:
        self._shape: tuple[int, ...] | None = None
        self._small = np.empty(0)
        self._usual = np.inf

    def is_cut(self, frame: SeenFrame) -> bool:
        """Whether a cut lies in front of this frame; the first one has none."""
        small = frame.once("thumbnail", lambda: _thumbnail(frame))
        shape, before = self._shape, self._small
        self._shape, self._small = frame.picture.shape, small
        if shape is None:
            return False
        norm = float(np.sqrt((small @ small) * (before @ before)))
        change = 1 - float(small @ before) / norm if norm > 0 else float(bool(small.any() or before.any()))
        sudden = change > max(CUT_LEAST, CUT_TIMES * self._usual)
        self._usual = change
        return shape != frame.picture.shape or sudden or change > CUT_SURELY


class SimilarityFit:
    """Robust least-squares fit of a small similarity to a dense flow, where the face is in the square."""

    STEP_PX = 4
    ROUNDS = 4

    def __init__(self, side: int) -> None:
        place = ((np.arange(side) - (side - 1) / 2) * CROP / side).astype(np.float32)
        self._x, self._y = np.meshgrid(place, place)
        inside = (self._x / 0.42) ** 2 + (self._y / 0.5) ** 2 < 1
        self._points = tuple(axis[:: self.STEP_PX] for axis in np.nonzero(inside))
        x, y = self._x[self._points], self._y[self._points]
        one, nil = np.ones_like(x), np.zeros_like(x)
        self._design = np.concatenate([np.stack([one, nil, x, -y], 1), np.stack([nil, one, y, x], 1)])

    def fit(self, flow: np.ndarray) -> np.ndarray:
        """(4,) along, down, growth, turn of (side, side, 2) `flow`.

        Cauchy weights, scaled by the median residual, keep a speaking mouth or a passing hand from biasing the fit.
        """
        seen = flow[self._points]
        target = np.concatenate([seen[:, 0], seen[:, 1]])
        head = np.array([*np.median(seen, axis=0), 0, 0])
        for _ in range(self.ROUNDS):
            left = (target - self._design @ head).reshape(2, -1)
            distance = np.hypot(*left)
            weight = np.tile(1 / (1 + (distance / (np.median(distance) + 1e-3)) ** 2), 2)
            weighted = self._design * weight[:, None]
            head = np.linalg.solve(weighted.T @ self._design, weighted.T @ target)
        return head

    def field(self, head: np.ndarray) -> np.ndarray:
        """(side, side, 2) float32 flow of the similarity `head`."""
        along, down, growth, turn = head.astype(np.float32)
        return np.stack([along + growth * self._x - turn * self._y, down + growth * self._y + turn * self._x], axis=2)
