"""The page of a prediction: curves that follow the videos. One HTML file; the videos stay where they are."""

import os
from pathlib import Path
from urllib.parse import quote

from damamba.config import LABEL_RATE_HZ
from damamba.files import replace_file
from damamba.page import THOUSANDTHS, page, script_data, thousandths
from damamba.predictor.result import ParticipantPrediction, Prediction
from damamba.scoring.series import stretches
from damamba.svg import COLOURS, SERIES

HERE = Path(__file__).parent


def write_page(prediction: Prediction, path: Path) -> None:
    """Write the page of all conversations; the CSV files are those of `Prediction.write` beside it."""
    sessions = {one.session: None for one in prediction.participants}
    data = {
        "rate_hz": LABEL_RATE_HZ,
        "scale": THOUSANDTHS,
        "colours": SERIES,
        "sessions": [
            {"name": name, "people": [_person(one, path.parent) for one in prediction.of_session(name)]}
            for name in sessions
        ],
    }
    text = page(HERE, "page", prediction=prediction, colours=COLOURS, data=script_data(data))
    replace_file(path, text.encode())


def _person(one: ParticipantPrediction, folder: Path) -> dict[str, object]:
    return {
        "name": one.participant,
        "video": quote(Path(os.path.relpath(one.video.resolve(), folder.resolve())).as_posix()),
        "csv": quote(f"{one.session}/{one.participant}.csv"),
        "engagement": thousandths(one.engagement),
        "missing": {cue: stretches(~seen) for cue, seen in one.cues.items()},
    }
