"""The README's picture: the face of each participant of a session over the curves of annotation and prediction.

Only simulated people are pictured: results are meant to be published.
"""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from damamba.config import LABEL_RATE_HZ
from damamba.corpus.manifest import Participant
from damamba.digits import write_result
from damamba.media.decode import read_frames
from damamba.media.track import video_of
from damamba.report.markdown import number
from damamba.report.published import session_title
from damamba.report.timeline import clock, draw_clock, draw_scores, participant_title, timeline_figure
from damamba.scoring.participants import ParticipantScore
from damamba.scoring.series import ParticipantSeries, SessionSeries, step_for
from damamba.streams.face_track import FaceTrack
from damamba.streams.reader import read_stream
from damamba.svg import DECIMALS, house_style, light, svg_text

SEARCHED_S = 60.0
"""Frames come from the beginning of a video, which is decoded in order."""
SIDE_PX = 240
SIDES = 1.95
"""Side of the picture over the larger side of the face."""
POINTS = 500
"""Points of a curve."""
COLUMNS = 2
WIDTH_IN, HEADER_IN, ROW_IN, LEFT_IN, COLUMN_IN = 9.0, 0.6, 3.25, 0.4, 4.4
FACE_IN, CURVES_IN, CURVES_WIDTH_IN = 1.5, 1.25, 4.05
PX_AN_IN = 72


@dataclass(frozen=True)
class FacePicture:
    """A participant's face at one moment."""

    t_s: float
    jpeg: bytes


def face_pictures(series: SessionSeries, people: Iterable[Participant], faces: Path) -> dict[str, FacePicture]:
    """Participant -> face at the moment of the highest label in the first minute; without those who have no video.

    Args:
        series: The session.
        people: Participants of all sessions, with the paths of their videos.
        faces: ``data/faces``.

    Raises:
        InputError: A video or a face track is damaged.
    """
    labels = {(series.corpus, series.session, one.participant): one.label for one in series.participants}
    pictures = {p.participant: _face_picture(p, faces, labels[p.key]) for p in people if p.key in labels}
    return {name: picture for name, picture in pictures.items() if picture}


def _face_picture(participant: Participant, faces: Path, label: np.ndarray) -> FacePicture | None:
    path = participant.shard(faces)
    if not participant.video or not path.is_file():
        return None
    track = FaceTrack.of(read_stream(path, "dvc repro -f track_faces"))
    labels = label[np.clip((track.t_s * LABEL_RATE_HZ).astype(int), 0, len(label) - 1)]
    usable = track.valid & (track.t_s < SEARCHED_S) & np.isfinite(labels)
    if not usable.any():
        return None
    row = int(np.argmax(np.where(usable, labels, -np.inf)))
    image = next(frame.image for frame in read_frames(video_of(participant)) if frame.t_s >= track.t_s[row] - 1e-3)
    return FacePicture(float(track.t_s[row]), _jpeg(image, track.box_px[row]))


def _jpeg(image: np.ndarray, box_px: np.ndarray) -> bytes:
    """A square around the box of a face."""
    left, top, right, bottom = box_px.astype(np.float64)
    side = SIDES * max(right - left, bottom - top)
    corner = np.array([left + right - side, top + bottom - side]) / 2
    to_square = np.column_stack([np.eye(2), -corner]) * SIDE_PX / side
    square = cv2.warpAffine(image, to_square, (SIDE_PX, SIDE_PX), borderMode=cv2.BORDER_REPLICATE)
    _, packed = cv2.imencode(".jpg", cv2.cvtColor(square, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])
    return packed.tobytes()


def draw_session(
    series: SessionSeries,
    pictures: Mapping[str, FacePicture],
    scores: Iterable[ParticipantScore],
    subtitle: str,
    path: Path,
) -> None:
    """Draw a session, two participants a row; without any face it is its timeline.

    Args:
        series: The session over time.
        pictures: Participant -> face; a participant without one has curves alone.
        scores: Rows of ``sessions/<run>.csv``.
        subtitle: Stands below the name of the session.
        path: File to write.
    """
    if not pictures:
        timeline_figure(series, path)
        return
    scored = {one.participant: one for one in scores if (one.corpus, one.session) == (series.corpus, series.session)}
    height_in = ROW_IN * -(-len(series.participants) // COLUMNS) + HEADER_IN
    images = ""
    with house_style():
        figure = Figure(figsize=(WIDTH_IN, height_in))
        _draw_header(figure, session_title(series.corpus, series.session), subtitle)
        for place, participant in enumerate(series.participants):
            row, column = divmod(place, COLUMNS)
            left_in, top_in = LEFT_IN + column * COLUMN_IN, HEADER_IN + row * ROW_IN
            picture = pictures.get(participant.participant)
            _draw_participant(figure, participant, picture, scored[participant.participant], left_in, top_in)
            if picture:
                images += _image(picture.jpeg, left_in, top_in, place)
        text = svg_text(figure)
    write_result(path, text.replace("</svg>", f"{images}</svg>"), DECIMALS)


def _draw_header(figure: Figure, title: str, subtitle: str) -> None:
    height_in = figure.get_figheight()
    figure.text(LEFT_IN / WIDTH_IN, 1 - 0.25 / height_in, title, fontweight="bold", fontsize=11)
    figure.text(LEFT_IN / WIDTH_IN, 1 - 0.43 / height_in, subtitle, color=light("muted"))
    handles = [
        Line2D([], [], color=light("ink"), linewidth=1.4, label="annotated"),
        Line2D([], [], color=light("blue"), linewidth=1.6, label="predicted"),
    ]
    figure.legend(handles=handles, loc="upper right", ncols=2, fontsize=8.5)


def _draw_participant(
    figure: Figure,
    participant: ParticipantSeries,
    picture: FacePicture | None,
    score: ParticipantScore,
    left_in: float,
    top_in: float,
) -> None:
    """Curves with room for the face above them, and beside the face its name, score and moment."""
    height_in = figure.get_figheight()
    bottom_in = top_in + FACE_IN + 0.1 + CURVES_IN
    axes = figure.add_axes(
        (left_in / WIDTH_IN, 1 - bottom_in / height_in, CURVES_WIDTH_IN / WIDTH_IN, CURVES_IN / height_in)
    )
    draw_scores(axes, participant, step_for(len(participant.label), POINTS))
    draw_clock(axes, len(participant.label) / LABEL_RATE_HZ, ticks=7)
    axes.tick_params(axis="x", pad=5)
    within = "" if score.ccc_within is None else f", within {number(score.ccc_within, decimals=2)}"
    lines = [(f"CCC in this session {number(score.ccc, decimals=2)}{within}", "ink")]
    if picture:
        frame = min(int(picture.t_s * LABEL_RATE_HZ), len(participant.label) - 1)
        label, prediction = participant.label[frame], participant.prediction[frame]
        axes.axvline(picture.t_s, color=light("muted"), linewidth=0.8, linestyle=(0, (3, 2)))
        axes.plot([picture.t_s], [label], "o", color=light("ink"), markersize=5)
        axes.plot([picture.t_s], [prediction], "o", color=light("blue"), markersize=5)
        lines += [(f"pictured at {clock(picture.t_s)}:", "muted")]
        lines += [(f"annotated {label:.2f}", "ink"), (f"predicted {prediction:.2f}", "blue")]
    text_in = left_in + (FACE_IN + 0.16 if picture else 0)
    figure.text(
        text_in / WIDTH_IN,
        1 - (top_in + 0.22) / height_in,
        participant_title(participant),
        fontsize=10.5,
        fontweight="bold",
    )
    for i, (line, colour) in enumerate(lines):
        y_in = top_in + 0.44 + 0.19 * i
        figure.text(text_in / WIDTH_IN, 1 - y_in / height_in, line, color=light(colour), fontsize=9)


def _image(jpeg: bytes, left_in: float, top_in: float, place: int) -> str:
    """SVG element of a face with rounded corners, at its place in the figure."""
    x, y, side = (round(PX_AN_IN * value, DECIMALS) for value in (left_in, top_in, FACE_IN))
    data = base64.b64encode(jpeg).decode("ascii")
    return (
        f'<clipPath id="face{place}"><rect x="{x:g}" y="{y:g}" width="{side:g}" height="{side:g}" rx="8"/></clipPath>'
        f'<image x="{x:g}" y="{y:g}" width="{side:g}" height="{side:g}" clip-path="url(#face{place})" '
        f'xlink:href="data:image/jpeg;base64,{data}"/>\n'
    )
