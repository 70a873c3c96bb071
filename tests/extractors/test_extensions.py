"""The cue in extensions/README.md, as a user would copy it into a project."""

import re
from pathlib import Path

import numpy as np
import yaml

from damamba.features.extractor import Extractor
from damamba.plugins import find
from tests.conftest import tone

README = Path(__file__).parents[2] / "extensions/README.md"


def test_the_cue_of_the_page_measures_how_loud_a_tone_is(tmp_path, monkeypatch, spoken):
    blocks = dict(re.findall(r"```(yaml|python)\n(.*?)```", README.read_text(encoding="utf8"), re.DOTALL))
    (settings,) = yaml.safe_load(blocks["yaml"])["cues"].values()
    package, _, name = settings["extractor"].replace("extensions", "copied_extensions").rpartition(".")
    (tmp_path / package).mkdir()
    (tmp_path / package / f"{name}.py").write_text(blocks["python"], encoding="utf8")
    monkeypatch.syspath_prepend(tmp_path)

    kind = find("damamba.extractors", f"{package}.{name}", Extractor)
    own = {key: value for key, value in settings.items() if key not in ("group", "extractor", "reads")}
    loud, quiet = (kind(kind.Params(**own)).extract(spoken(scale * tone(2))).x[:].ravel() for scale in (1.0, 0.1))

    assert len(loud) == 20
    assert np.allclose(loud, 10 * np.log10(0.3**2 / 2), atol=0.1)  # power of a sine with an amplitude of 0.3
    assert np.allclose(loud - quiet, 20, atol=0.1)
