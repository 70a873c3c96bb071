"""Who is in a video: how many faces it shows and, where these are several people, a region for each of them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from damamba.console import InputError, progress
from damamba.corpus.region import Region
from damamba.features.follow import SMALLEST, Face, everyone
from damamba.features.landmarker import Landmarker
from damamba.features.landmarker_file import check_model
from damamba.features.look import Looks, look_of
from damamba.features.meant import STRANGER
from damamba.media.glance import frame_at, length_s, sample_frames
from damamba.media.guarded import guarded
from damamba.media.track import MediaTrack

SAMPLES, MORE_SAMPLES = 5, 16
"""Frames of a video that are looked at for a proposal, and to find its people."""
PRESENT = 0.25
"""So many people are in a video as are seen at once in this share of the frames, the largest such number."""
APART = 0.5
"""People keep apart if so much lies between the places of their faces, in face sizes."""
WAY = 6.0
"""Faces farther apart than this, in face sizes, are no farther apart for it."""
ROUNDS = 5
HALF_WIDTH, ABOVE, BELOW = 1.3, 1.3, 2.0
"""Cut of a person's picture from the middle of their face, in face sizes."""


@dataclass(frozen=True)
class Faces:
    """Faces in a few frames of a video."""

    counts: tuple[int, ...]
    """Faces in each of the frames."""
    regions: tuple[Region, ...]
    """One per person, from left to right; empty unless most frames show the same number of people, two or more."""

    @property
    def are_apart(self) -> bool:
        """Whether no two regions overlap."""
        return not any(_overlap(a, b) for k, a in enumerate(self.regions) for b in self.regions[:k])


@dataclass(frozen=True)
class Someone:
    """One of the people of a video."""

    region: Region
    """In which only their face was seen, as far as people keep apart."""
    picture: bytes
    """PNG of them, for the column `reference` of the manifest."""


@dataclass(frozen=True)
class _Sight:
    frame: int
    face: Face
    look: NDArray[np.float32]


def find_faces(video: Path | MediaTrack, model: Path, region: Region | None = None) -> Faces:
    """Look for faces in a few frames, spread over the video.

    Args:
        video: Any video that decodes.
        model: MediaPipe FaceLandmarker file.
        region: Only faces in it count.

    Raises:
        InputError: The model file is missing or not the pinned one, or the video cannot be read.
    """
    check_model(model)
    landmarker = Landmarker(model)
    images = guarded(_sampled, video)
    sights = [_sights(landmarker, k, image, region) for k, image in enumerate(images)]
    counts = tuple(map(len, sights))
    usual, times = Counter(counts).most_common(1)[0] if counts else (0, 0)
    if usual < 2 or times * 2 <= len(counts):
        return Faces(counts, ())
    return Faces(counts, separate([[sight.face for sight in one] for one in _people(sights, usual)], images[0].shape))


def _sampled(video: Path | MediaTrack) -> list[np.ndarray]:
    return list(sample_frames(video, SAMPLES))


def find_people(video: Path | MediaTrack, model: Path, number: int | None) -> list[Someone]:
    """Who is in a video, from left to right.

    Faces of some frames are shared out among the people by look and place; two faces of a frame are two people.

    Args:
        video: Any video that decodes.
        model: MediaPipe FaceLandmarker file.
        number: Of people; None: of those who are seen at once in `PRESENT` of the frames.

    Raises:
        InputError: The model file is missing or not the pinned one, the video cannot be read, shows fewer people at
            once, or nobody.
    """
    check_model(model)
    images: list[np.ndarray] = []
    sights: list[list[_Sight]] = []
    end_s = guarded(length_s, video)
    landmarker = Landmarker(model)
    for k in progress(range(MORE_SAMPLES), "people", unit="picture"):
        image = guarded(frame_at, video, end_s * (k + 0.5) / MORE_SAMPLES)
        if image is not None:
            sights.append(_sights(landmarker, len(images), image))
            images.append(image)
    counts = np.array(list(map(len, sights)))
    most = int(counts.max(initial=0))
    present = max((n for n in range(1, most + 1) if (counts >= n).sum() >= PRESENT * len(counts)), default=0)
    wanted = number or present
    if not wanted or wanted > most:
        seen = f"{most or 'no'} {'face' if most == 1 else 'faces'}" + (f", not {wanted}," if wanted else "")
        raise InputError(
            f"{video}: shows {seen} at once in the {len(counts)} frames that were looked at; a face must take "
            f"{SMALLEST:.0%} of the picture's longer side"
        )
    people = _people(sights, wanted)
    regions = separate([[sight.face for sight in one] for one in people], images[0].shape)
    return [
        Someone(region, _picture(landmarker, images, sights, person, f"{video}, person {k}"))
        for k, (region, person) in enumerate(zip(regions, people, strict=True), 1)
    ]


def _sights(landmarker: Landmarker, frame: int, image: np.ndarray, region: Region | None = None) -> list[_Sight]:
    """Faces of a frame, the largest first."""
    height, width = image.shape[:2]
    faces = sorted(everyone(landmarker, image), key=lambda face: -face.size)
    return [
        _Sight(frame, face, look_of(image, face.landmarks_px))
        for face in faces
        if region is None or region.holds(*face.middle, width_px=width, height_px=height)
    ]


def _people(sights: Sequence[Sequence[_Sight]], number: int) -> list[list[_Sight]]:
    """Share out all faces among so many people, by look and place; who is from left to right."""
    first = max((one for one in sights if len(one) >= number), key=lambda one: sum(s.face.size for s in one[:number]))
    people = [[sight] for sight in first[:number]]
    for _ in range(ROUNDS):
        shared: list[list[_Sight]] = [[] for _ in people]
        for frame in sights:
            costs = {(i, k): _cost(s, person) for i, s in enumerate(frame) for k, person in enumerate(people)}
            while costs:  # the clearest first
                (i, k), cost = min(costs.items(), key=lambda item: item[1])
                if cost > 2:
                    break
                shared[k].append(frame[i])
                costs = {pair: c for pair, c in costs.items() if pair[0] != i and pair[1] != k}
        people = [new or old for new, old in zip(shared, people, strict=True)]
    return sorted(people, key=lambda one: np.median([sight.face.middle[0] for sight in one]))


def _cost(sight: _Sight, person: Sequence[_Sight]) -> float:
    """Difference in look, where `STRANGER` counts 1, and half as much for the place."""
    looks = Looks()
    for other in person:
        looks.learn(other.look)
    way = np.linalg.norm(sight.face.middle - np.median([other.face.middle for other in person], axis=0))
    return looks.distance(sight.look) / STRANGER + min(float(way) / (WAY * sight.face.size), 1.0) / 2


def _picture(
    landmarker: Landmarker,
    images: Sequence[np.ndarray],
    sights: Sequence[Sequence[_Sight]],
    person: Sequence[_Sight],
    who: str,
) -> bytes:
    """A cut of the frame that shows a person most clearly and nobody else."""

    def clear(sight: _Sight) -> float:
        others = [other.face for other in sights[sight.frame] if other is not sight]
        alone = min((np.linalg.norm(other.middle - sight.face.middle) for other in others), default=np.inf)
        straight = abs(float(sight.face.head[2, 2]))  # 1 for a face that is turned to the camera
        return min(float(alone) / sight.face.size, 2 * HALF_WIDTH) + straight

    for sight in sorted(person, key=clear, reverse=True):
        image, middle, size = images[sight.frame], sight.face.middle, sight.face.size
        left, top = np.maximum(np.floor(middle - size * np.array([HALF_WIDTH, ABOVE])), 0).astype(int)
        right, bottom = np.ceil(middle + size * np.array([HALF_WIDTH, BELOW])).astype(int)
        cut = np.ascontiguousarray(image[top:bottom, left:right])
        if len(everyone(landmarker, cut)) == 1:
            return cv2.imencode(".png", cv2.cvtColor(cut, cv2.COLOR_RGB2BGR))[1].tobytes()
    raise InputError(f"{who}: never seen without another face beside theirs; cut the video into one file a person")


def separate(people: Sequence[Sequence[Face]], shape: tuple[int, ...]) -> tuple[Region, ...]:
    """A region for each person, which hold all places of their faces; they overlap only where people do not keep apart.

    Args:
        people: Faces of each in some frames.
        shape: (height, width, …) of the picture.
    """
    size = np.array(shape[1::-1], np.float64)
    low = np.array([np.min([face.middle for face in one], axis=0) for one in people])
    high = np.array([np.max([face.middle for face in one], axis=0) for one in people])
    far = [float(np.median([face.size for face in one])) * APART for one in people]
    edges = [[np.zeros(2), size.copy()] for _ in people]
    for i, (begin, end) in enumerate(edges):
        for j in range(len(people)):
            if i == j:
                continue
            after, before = low[j] - high[i], low[i] - high[j]
            axis = int(np.argmax(np.maximum(after, before)))
            if max(after[axis], before[axis]) <= max(far[i], far[j]):
                continue
            if after[axis] > 0:
                end[axis] = min(end[axis], (high[i][axis] + low[j][axis]) / 2)
            else:
                begin[axis] = max(begin[axis], (high[j][axis] + low[i][axis]) / 2)
    return tuple(_region(begin / size, end / size) for begin, end in edges)


def _region(begin: NDArray[np.float64], end: NDArray[np.float64]) -> Region:
    (left, top), (right, bottom) = np.round(begin, 3).tolist(), np.round(end, 3).tolist()
    return Region(left, top, round(right - left, 3), round(bottom - top, 3))


def _overlap(a: Region, b: Region) -> bool:
    across = min(a.left + a.width, b.left + b.width) - max(a.left, b.left)
    down = min(a.top + a.height, b.top + b.height) - max(a.top, b.top)
    return across > 1e-9 and down > 1e-9


def regions_text(regions: Iterable[Region]) -> str:
    """Regions as they stand in the manifest, for messages."""
    return " and ".join(f'"{region}"' for region in regions)
