"""Find a person's face and keep to it: where it was before, then in the whole picture, then in tiles of it.

The landmarks of a face are read where it was in the frame before; that needs no detector, which confirms once a second
that a face is there. The detector sees a face that takes about an eighth of its picture's longer side or more. So where
the face is lost, the picture that it gets is a window around the last place; then the whole picture, and from time to
time tiles of a third of its longer side, in which faces of 4 % of that side are found.

Who is followed: the largest face at first, then whoever is nearest. Other people are remembered by their place, and are
not taken for a person who turns away. Where it is given who is meant, only they are taken up, and people are told apart
by their looks too. All of it looks back only.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from damamba.features.face_detector import Spot, spot_of
from damamba.features.landmarker import Landmarker
from damamba.features.look import Looks, look_of
from damamba.features.meant import Meant
from damamba.media.picture import AnyPicture

WINDOW = 2.4
"""Side of the window around a face, in sizes of its box."""
FOLLOW_S = 0.2
"""A face is read where it was if that is no longer ago."""
STEP = 0.25
"""A face that has moved or grown by more since, in sizes of its box, is looked for anew."""
TILE, STRIDE = 0.3, 0.15
"""Side of a tile and way from one to the next, as shares of the picture's longer side."""
SMALLEST = 0.04
"""Faces of this share of the longer side are found."""
LARGE = 0.14
"""From this share on, a look at the whole picture finds others of that size."""
TILES_S = 0.4
"""Tiles are looked through so often while nobody is found; s."""
LOST_S = 0.4
"""After so long, a face in another place may be the person's; s."""
LOOK_S = 1.0
"""The whole picture is looked at so often for other people; s."""
FORGET_S = 10.0
"""Other people who have not been seen for so long are forgotten."""
NEAR = 0.75
"""Two boxes whose middles are nearer than this, in sizes of the larger, show the same face."""
GROWTH = 1.6
"""Nobody comes nearer or goes away by this factor from one frame to the next."""
MOST_OTHERS = 24
"""Other people whose looks are remembered, the latest."""


@dataclass(frozen=True)
class Face:
    """A face in a picture."""

    landmarks_px: NDArray[np.float64]
    """(478, 2) x to the right, y down."""
    head: NDArray[np.float64]
    """(4, 4) from the canonical face to the camera, cm."""
    shapes: NDArray[np.float32]
    """(52,) blendshape scores."""
    look: NDArray[np.float32] | None = None
    """(cells, 3) of `look_of`, where somebody is meant."""
    is_within: bool = True
    """Where the one who is meant may be."""
    is_stranger: bool = False
    """Whether it looks like nobody who is meant."""

    @cached_property
    def box(self) -> NDArray[np.float64]:
        """(4,) left, top, right, bottom; px."""
        return np.concatenate([self.landmarks_px.min(0), self.landmarks_px.max(0)])

    @cached_property
    def middle(self) -> NDArray[np.float64]:
        """(2,) of the box."""
        return (self.box[:2] + self.box[2:]) / 2

    @cached_property
    def size(self) -> float:
        """Longer side of the box, px."""
        return float((self.box[2:] - self.box[:2]).max())


@dataclass
class Counts:
    """What happened on the way."""

    frames: int = 0
    found: int = 0
    with_others: int = 0
    """Frames in which the whole picture was looked at and showed other people too."""
    looks: int = 0
    """Frames in which the whole picture was looked at."""
    jumps: int = 0
    """Times that a face was taken up again in another place: another scene, or another person."""


@dataclass
class _Other:
    middle: NDArray[np.float64]
    size: float
    seen_s: float
    looks: Looks = field(default_factory=Looks)


@dataclass
class FaceFollower:
    """Follows one person through the frames of a video, in order."""

    landmarker: Landmarker
    counts: Counts = field(default_factory=Counts)
    meant: Meant | None = None
    """The person to follow; None: the largest face at first."""
    _last: Face | None = None
    _last_s: float = -np.inf
    _is_seen: bool = False
    """Whether it is the face of the frame before."""
    _looked_s: float = -np.inf
    _tiled_s: float = -np.inf
    _others: list[_Other] = field(default_factory=list)

    def next(self, image: AnyPicture, t_s: float) -> Face | None:
        """The person's face in the next frame, (height, width, 3) RGB; None where it is not seen."""
        self.counts.frames += 1
        face = self._again(image, t_s)
        found = face
        if found is None and self._last is not None:
            found = self._nearest(self._in(image, *window(self._last, image.shape)), t_s)
        if found is None or t_s - self._looked_s >= LOOK_S:
            found = self._look(image, t_s, found if face is None else self._confirmed(image, face))
        face = self._settled(image, found) if found is not None and found is not face else found
        self._is_seen = face is not None
        if face is not None:
            self._last, self._last_s = face, t_s
            self.counts.found += 1
            if self.meant and face.look is not None:
                self.meant.learn(face.look, [other.looks for other in self._others])
        return face

    def _again(self, image: AnyPicture, t_s: float) -> Face | None:
        """The face where it was in the frame before; None where it is not, or moves too fast."""
        last = self._last
        if last is None or not self._is_seen or t_s - self._last_s > FOLLOW_S:
            return None
        face = self._nearest(self._as_meant(image, read(self.landmarker, image, [spot_of(last.landmarks_px)])), t_s)
        if face is None or np.linalg.norm(face.middle - last.middle) > STEP * last.size:
            return None
        return face if abs(face.size - last.size) < STEP * last.size else None

    def _confirmed(self, image: AnyPicture, face: Face) -> Face | None:
        """A face that was read where it had been, if the detector sees one there."""
        spots = spots_in(self.landmarker, image, *window(face, image.shape))
        near = NEAR * face.size
        return face if any(np.linalg.norm(spot.middle - face.middle) < near for spot in spots) else None

    def _settled(self, image: AnyPicture, face: Face) -> Face:
        """A face that was detected, read once more as in the frames to come: so numbers do not jump."""
        again = self._as_meant(image, read(self.landmarker, image, [spot_of(face.landmarks_px)]))
        return again[0] if again and same(again[0], face) else face

    def _look(self, image: AnyPicture, t_s: float, face: Face | None) -> Face | None:
        """Look at the whole picture: for the person, unless the window has shown their `face`, and for others."""
        self.counts.looks += 1
        self._looked_s = t_s
        faces = self._in(image, 0, 0, *image.shape[1::-1])
        face = face or self._nearest(faces, t_s)
        small = face is not None and face.size < LARGE * max(image.shape)
        if (face is None or small) and t_s - self._tiled_s >= (LOOK_S if small else TILES_S):
            self._tiled_s = t_s
            faces = distinct([*faces, *self._as_meant(image, in_tiles(self.landmarker, image))])
            face = face or self._nearest(faces, t_s)
        if face is None and t_s - self._last_s >= LOST_S:
            face = self._anywhere([one for one in faces if one.is_within and not one.is_stranger], t_s)
        self._remember([other for other in faces if face is None or not same(other, face)], t_s, face)
        return face

    def _anywhere(self, faces: list[Face], t_s: float) -> Face | None:
        """The largest face at first; later one in another place, of the most similar size, which is not another's.

        With a picture of the person, it is always the face that looks most like it.
        """
        last = self._last
        strangers = faces if last is None else [face for face in faces if not self._is_others(face, t_s)]
        if self.meant is not None and self.meant.pictured:
            found = min(strangers, key=self._unlikeness, default=None)
        elif last is None:
            found = max(strangers, key=lambda face: face.size, default=None)
        else:
            found = min(strangers, key=lambda face: abs(np.log(face.size / last.size)), default=None)
        self.counts.jumps += found is not None and last is not None and not self._resembles(found)
        return found

    def _nearest(self, faces: list[Face], t_s: float) -> Face | None:
        """The face nearest to the last one; None where none is near. The longer ago that was, the wider is the net."""
        last, ago_s = self._last, t_s - self._last_s
        if last is None:
            return None
        growth, near = GROWTH * (1 + min(ago_s, 1)), NEAR * (1 + min(ago_s, 1))
        fits = {
            float(np.linalg.norm(face.middle - last.middle)): face
            for face in faces
            if 1 / growth < face.size / last.size < growth
            and np.linalg.norm(face.middle - last.middle) < near * max(face.size, last.size)
            and self._continues(face, ago_s, t_s)
        }
        return fits[min(fits)] if fits else None

    def _continues(self, face: Face, ago_s: float, t_s: float) -> bool:
        """Whether a face near the last one may be the same person's."""
        if not face.is_within or self._resembles(face) is False:
            return False
        return ago_s < LOST_S or not (face.is_stranger or self._is_others(face, t_s))

    def _is_others(self, face: Face, t_s: float) -> bool:
        """Whether somebody else looks like this or, where looks do not decide, was there."""
        resembles = self._resembles(face)
        if resembles is not None:
            return not resembles
        others = self._others if self.meant is None else [o for o in self._others if t_s - o.seen_s < FORGET_S]
        return any(_at(face, other) for other in others)

    def _unlikeness(self, face: Face) -> float:
        """How much a face differs from who is meant."""
        return self.meant.looks.distance(face.look) if self.meant and face.look is not None else np.inf

    def _resembles(self, face: Face) -> bool | None:
        """Whether a face looks like who is meant, and not like others; None where that is not clear."""
        if self.meant is None or face.look is None:
            return None
        return self.meant.resembles(face.look, [other.looks for other in self._others])

    def _remember(self, others: list[Face], t_s: float, person: Face | None) -> None:
        """Keep the places of others up to date; while the person is away, nobody new becomes one of them."""
        self.counts.with_others += bool(others)
        for face in others:
            known = next((other for other in self._others if _at(face, other)), None)
            if known is None and person is not None:
                known = _Other(face.middle, face.size, t_s)
                self._others.append(known)
            if known:
                known.middle, known.size, known.seen_s = face.middle, face.size, t_s
                if face.look is not None and self._resembles(face) is not True:
                    known.looks.learn(face.look)
        if self.meant is None:
            self._others = [other for other in self._others if t_s - other.seen_s < FORGET_S]
        else:
            self._others = sorted(self._others, key=lambda other: other.seen_s)[-MOST_OTHERS:]

    def _in(self, image: AnyPicture, left: int, top: int, width: int, height: int) -> list[Face]:
        """Faces in a part of the picture."""
        return self._as_meant(image, faces_in(self.landmarker, image, left, top, width, height))

    def _as_meant(self, image: AnyPicture, faces: list[Face]) -> list[Face]:
        """The faces with their looks, and whether they may be those of who is meant, if it is given who is."""
        if self.meant is None:
            return faces
        looks = [look_of(image, face.landmarks_px) for face in faces]
        return [
            replace(
                face,
                look=look,
                is_within=self.meant.is_within(face.middle, image.shape),
                is_stranger=self.meant.is_stranger(look),
            )
            for face, look in zip(faces, looks, strict=True)
        ]


def faces_in(landmarker: Landmarker, image: AnyPicture, left: int, top: int, width: int, height: int) -> list[Face]:
    """Faces in a part of a picture, in px of the whole; none that has no landmark inside the picture."""
    return read(landmarker, image, spots_in(landmarker, image, left, top, width, height))


def spots_in(landmarker: Landmarker, image: AnyPicture, left: int, top: int, width: int, height: int) -> list[Spot]:
    """Where the detector sees faces in a part of a picture, in px of the whole."""
    found = landmarker.find(image[top : top + height, left : left + width])
    return [replace(spot, middle=spot.middle + np.array([left, top])) for spot in found]


def read(landmarker: Landmarker, image: AnyPicture, spots: list[Spot]) -> list[Face]:
    """Faces in some places of a picture; none that has no landmark inside it."""
    faces = [landmarker.read(image, spot) for spot in spots]
    return [
        Face(face.landmarks_px, face.head, face.shapes)
        for face in faces
        if face is not None and ((face.landmarks_px >= 0) & (face.landmarks_px < image.shape[1::-1])).all(1).any()
    ]


def everyone(landmarker: Landmarker, image: AnyPicture) -> list[Face]:
    """All faces of a picture, large and small."""
    found = faces_in(landmarker, image, 0, 0, *image.shape[1::-1])
    return distinct([*found, *in_tiles(landmarker, image)])


def in_tiles(landmarker: Landmarker, image: AnyPicture) -> list[Face]:
    """Faces in the tiles of a picture, without those that a tile cuts; some are found in several tiles."""
    found = []
    for left, top, width, height in tiles(image.shape):
        low, high = np.array([left, top]), np.array([left + width, top + height])
        for face in faces_in(landmarker, image, left, top, width, height):
            cut_low = (face.box[:2] <= low) & (low > 0)
            cut_high = (face.box[2:] >= high - 1) & (high < image.shape[1::-1])
            if not (cut_low | cut_high).any():
                found.append(face)
    return found


def window(face: Face, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """(left, top, width, height) of the square around a face, as far as it lies in a picture of `shape`."""
    height, width = shape[:2]
    half = WINDOW * face.size / 2
    left, top = np.clip(np.floor(face.middle - half), 0, (width - 2, height - 2)).astype(int)
    right, bottom = np.clip(np.ceil(face.middle + half), (left + 2, top + 2), (width, height)).astype(int)
    return int(left), int(top), int(right - left), int(bottom - top)


def tiles(shape: tuple[int, ...]) -> list[tuple[int, int, int, int]]:
    """(left, top, width, height) of overlapping squares that cover a picture of `shape`."""
    height, width = shape[:2]
    side = min(round(TILE * max(height, width)), height, width)
    step = STRIDE * max(height, width)

    def starts(length: int) -> NDArray[np.int64]:
        return np.rint(np.linspace(0, length - side, int(np.ceil((length - side) / step)) + 1)).astype(int)

    return [(int(left), int(top), side, side) for top in starts(height) for left in starts(width)]


def same(a: Face, b: Face) -> bool:
    """Whether two finds in one picture are the same face."""
    return float(np.linalg.norm(a.middle - b.middle)) < NEAR * max(a.size, b.size)


def distinct(faces: list[Face]) -> list[Face]:
    """Without repeated finds of a face; the first of them stays."""
    kept: list[Face] = []
    for face in faces:
        if not any(same(face, other) for other in kept):
            kept.append(face)
    return kept


def _at(face: Face, other: _Other) -> bool:
    return bool(np.linalg.norm(face.middle - other.middle) < NEAR * max(face.size, other.size))
