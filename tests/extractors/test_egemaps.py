import sys

import numpy as np
import pytest

from damamba.console import InputError
from damamba.corpus.manifest import Participant
from damamba.extractors.egemaps import Egemaps, EgemapsParams
from damamba.features.extractor import ExtractorInput
from tests.conftest import make_wav, tone

PARAMS = EgemapsParams(window_s=1.0, hop_s=0.2)  # openSMILE takes long over a row; the release has 0.04


def test_without_opensmile_the_command_and_the_licence_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "opensmile", None)
    with pytest.raises(InputError, match=r"pip install 'damamba\[egemaps\]'.*non-commercial"):
        Egemaps(PARAMS).load()


def test_rows_have_the_form_of_the_release_and_use_no_later_sound(tmp_path):
    pytest.importorskip("opensmile", reason="extra egemaps")
    sound = np.concatenate([tone(1.4, pitch_hz=150), tone(0.6, pitch_hz=300)])
    streams = []
    for name, samples in (("whole", sound), ("start", sound[: int(1.4 * 16_000)])):
        path = make_wav(tmp_path / f"{name}.wav", samples)
        person = Participant("own", "s", "p", "p", "train", "en", "p", "", str(path), "", duration_s=2.0)
        extractor = Egemaps(PARAMS)
        extractor.load()
        streams.append(extractor.extract(ExtractorInput(person)))
    whole, start = streams
    assert (whole.width, whole.rate_hz, len(whole.t_s)) == (88, 5.0, 10)
    assert whole.t_s[2] == pytest.approx(0.4)
    np.testing.assert_array_equal(whole.x[:7], start.x)
    assert whole.t_s[7] + extractor.lookahead_s >= 1.4 + PARAMS.hop_s  # the first row that hears more
    assert not whole.valid[0]  # 0.2 s of sound
    assert whole.valid[2:].all()
    pitch = whole.channels.index("F0semitoneFrom27.5Hz_sma3nz_amean")
    assert 27 < whole.x[6, pitch] < 31  # 150 Hz are 29.3 semitones over 27.5 Hz
