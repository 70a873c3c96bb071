"""The page of a prediction: curves that follow the videos. One HTML file; the videos stay where they are."""

from pathlib import Path

from damamba.config import LABEL_RATE_HZ
from damamba.files import replace_file
from damamba.media.loudness import RATE_HZ
from damamba.page import SCALE, page, script_data
from damamba.page.participant import link_to, participant_data
from damamba.predictor.result import ParticipantPrediction, Prediction
from damamba.scoring.series import decimate, stretches
from damamba.svg import COLOURS, SERIES

HERE = Path(__file__).parent


def write_page(prediction: Prediction, path: Path) -> None:
    """Write the page of all conversations."""
    names = dict.fromkeys(one.session for one in prediction.participants)
    sessions = [
        {
            "name": name,
            "participants": [_person(one, i, path.parent) for i, one in enumerate(prediction.of_session(name))],
        }
        for name in names
    ]
    data = {
        "rate_hz": LABEL_RATE_HZ,
        "scale": SCALE,
        "colours": SERIES,
        "first": 0,
        "eager": True,
        "sessions": sessions,
    }
    text = page(HERE, "page", prediction=prediction, colours=COLOURS, data=script_data(data))
    replace_file(path, text.encode())


def _person(one: ParticipantPrediction, place: int, folder: Path) -> dict[str, object]:
    return participant_data(
        one.participant,
        [("engagement", SERIES[place % len(SERIES)], one.place)],
        {cue: stretches(~seen) for cue, seen in one.cues.items()},
        {part: decimate(values, LABEL_RATE_HZ) for part, values in one.contributions.items()},
        one.sound and (RATE_HZ, one.sound.peak, one.sound.turns),
        link_to(one.video, folder),
    )
