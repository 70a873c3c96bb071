import numpy as np
import pytest

from damamba.console import InputError
from damamba.media.decode import read_frames
from damamba.media.probe import probe_audio, probe_video
from damamba.media.sound import read_waveform
from tests.conftest import make_video, make_wav, tone

STEADY = np.arange(50) / 25


def test_frames_come_with_their_own_times_when_the_rate_varies_and_the_start_is_late(tmp_path):
    t = 0.2 + np.cumsum(np.random.default_rng(0).choice([0.02, 0.04, 0.1], 40))
    path = make_video(tmp_path / "v.mp4", t)
    read = np.array([frame.t_s for frame in read_frames(path)])
    assert np.abs(read - t).max() < 1e-3
    video = probe_video(path)
    assert video.n_frames == len(t)
    assert video.start_s == pytest.approx(t[0], abs=1e-3)
    assert video.end_s >= t[-1]


def test_probe_finds_rate_and_size(tmp_path):
    video = probe_video(make_video(tmp_path / "v.mp4", STEADY))
    assert (round(video.rate_hz), video.width, video.height, video.n_frames) == (25, 64, 48, 50)
    assert video.end_s == pytest.approx(2.0, abs=0.01)


def test_stereo_at_another_rate_becomes_mono_at_16_khz(tmp_path):
    left = tone(1.0, 44_100)
    path = make_wav(tmp_path / "a.wav", np.stack([left, np.zeros_like(left)], 1), 44_100)
    waveform = read_waveform(path)
    assert len(waveform.samples) == pytest.approx(16_000, abs=2)
    middle = waveform.samples[4000:12_000]
    assert np.sqrt((middle**2).mean()) == pytest.approx(0.15 / np.sqrt(2), rel=0.02)  # half of one channel
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(8000)))
    assert np.argmax(spectrum) * 2 == pytest.approx(220, abs=2)


def test_sound_keeps_its_samples(tmp_path):
    samples = np.random.default_rng(1).uniform(-0.9, 0.9, 16_000)
    read = read_waveform(make_wav(tmp_path / "a.wav", samples)).samples
    assert np.abs(read - samples).max() < 2 / 32768


@pytest.mark.parametrize("probe", [probe_video, probe_audio, read_waveform, lambda p: list(read_frames(p))])
@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "empty"), (b"this is a text file\n" * 50, "not a readable media file"), (None, "no such file")],
)
def test_the_message_about_a_file_that_is_not_media_has_its_path(tmp_path, probe, content, message):
    path = tmp_path / "v.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        probe(path)
    assert str(path) in str(error.value)


def test_truncated_mp4_is_refused(tmp_path):
    path = make_video(tmp_path / "v.mp4", STEADY)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"v\.mp4"):
        probe_video(path)


def test_matroska_that_ends_early_without_an_error_is_refused(tmp_path):
    rng = np.random.default_rng(0)
    path = make_video(tmp_path / "v.mkv", np.arange(250) / 25, rng.random(250))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    with pytest.raises(InputError, match=r"cut short|damaged|not a readable"):
        probe_video(path)


def test_reading_sound_of_a_video_without_sound_is_refused(tmp_path):
    path = make_video(tmp_path / "v.mp4", STEADY)
    for read in (probe_audio, read_waveform):
        with pytest.raises(InputError, match=r"no (audio|sound) in it"):
            read(path)


def test_playlists_open_nothing_else(tmp_path):
    make_video(tmp_path / "inner.mp4", STEADY)
    path = tmp_path / "v.mp4"
    path.write_text("ffconcat version 1.0\nfile inner.mp4\n")
    with pytest.raises(InputError):
        probe_video(path)
