"""Sound of real files: at its time, at its own rate, what is missing marked and told."""

from fractions import Fraction

import av
import numpy as np
import pytest

from damamba.console import InputError
from damamba.media.probe import has_sound, probe_audio
from damamba.media.sound import SAMPLE_RATE_HZ, Waveform, read_waveform
from damamba.media.track import MediaTrack
from tests.conftest import make_wav, tone
from tests.media.specimens import join, shift_stamps, write_clip, write_sound

RATE_HZ = 48_000


def pitch_hz(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * SAMPLE_RATE_HZ / len(samples))


def onset_s(waveform: Waveform) -> float:
    """Time at which a sound begins after silence."""
    return waveform.start_s + int(np.argmax(np.abs(waveform.samples) > 0.1)) / SAMPLE_RATE_HZ


def beep(at_s: float, seconds: float = 2.0, rate_hz: int = RATE_HZ) -> np.ndarray:
    samples = tone(seconds, rate_hz, 1000.0)
    samples[: round(at_s * rate_hz)] = 0
    return samples


@pytest.mark.parametrize(
    "name", ["a.mp3", "a.ogg", "a.m4a", "a.flac", "a.mkv", "a.ts", "a.wav", "a.caf", "a.aiff", "a.au"]
)
def test_a_beep_is_heard_when_it_was_made_in_every_container(tmp_path, name):
    codecs = {"mp3": "libmp3lame", "ogg": "libopus", "flac": "flac", "wav": "pcm_s16le", "caf": "pcm_s16be"}
    codec = codecs.get(name[2:], "pcm_s16be" if name[2:] in ("aiff", "au") else "aac")
    path = write_clip(tmp_path / name, 0, video=None, sounds=[beep(1.0)], sound_codec=codec)
    waveform = read_waveform(path)
    delay_s = 1024 / RATE_HZ if name == "a.ts" else 0  # an encoder's delay, which a transport stream does not state
    assert onset_s(waveform) == pytest.approx(1.0 + delay_s, abs=0.01)
    assert waveform.missing == ()
    assert probe_audio(path).notes == ()
    assert probe_audio(path).end_s == pytest.approx(2.0, abs=0.05)


def test_beep_and_picture_of_a_broadcast_are_on_one_clock(tmp_path):
    first = write_clip(tmp_path / "a.ts", 50, sounds=[beep(1.0)])
    path = shift_stamps(first, tmp_path / "b.ts", 20_000)
    for one in (first, path):
        assert onset_s(read_waveform(one)) == pytest.approx(1.02, abs=0.03)


def test_joined_sound_runs_on(tmp_path):
    half = write_clip(tmp_path / "a.ts", 0, video=None, sounds=[beep(1.0)])
    path = join(tmp_path / "v.ts", half, half)
    waveform = read_waveform(path)
    assert len(waveform.samples) / SAMPLE_RATE_HZ == pytest.approx(4, abs=0.1)
    assert "run backwards 1 times" in probe_audio(path).notes[0]


def test_every_part_is_read_at_its_own_rate(tmp_path):
    """ADTS frames have their own header each: 3 s at 48 kHz, then 3 s at 16 kHz, all of them a tone of 1 kHz."""
    parts = [
        write_clip(tmp_path / f"{r}.aac", 0, video=None, sounds=[tone(3, r, 1000.0)], sound_rate=r, format="adts")
        for r in (48_000, 16_000)
    ]
    path = join(tmp_path / "a.aac", *parts)
    waveform = read_waveform(path)
    n = len(waveform.samples)
    assert n / SAMPLE_RATE_HZ == pytest.approx(6, abs=0.3)
    assert pitch_hz(waveform.samples[n // 6 : n // 3]) == pytest.approx(1000, abs=10)
    assert pitch_hz(waveform.samples[n * 2 // 3 : n * 5 // 6]) == pytest.approx(1000, abs=10)
    assert "the sampling rate changes: 48000, 16000 Hz" in " ".join(probe_audio(path).notes)


def test_the_default_track_is_heard_and_others_are_chosen(tmp_path):
    sounds = [np.zeros(RATE_HZ), tone(1, RATE_HZ, 1000.0)]
    path = write_clip(tmp_path / "v.mkv", 25, sounds=sounds, default_sound=1)
    assert pitch_hz(read_waveform(path).samples[2000:14_000]) == pytest.approx(1000, abs=10)
    survey = probe_audio(path)
    assert not survey.silent
    assert "2 audio tracks (1, 2); number 2 is read" in survey.notes[0]
    assert probe_audio(MediaTrack(path, 1)).silent
    with pytest.raises(InputError, match="audio_track is 3, but it has 2 audio tracks"):
        read_waveform(MediaTrack(path, 3))


def test_digital_silence_is_no_sound(tmp_path):
    dither = np.random.default_rng(0).choice([-1, 0, 1], RATE_HZ) / 32768
    for samples in (np.zeros(RATE_HZ), dither):
        path = make_wav(tmp_path / "a.wav", samples, RATE_HZ)
        assert probe_audio(path).silent
        assert "digital silence from beginning to end" in probe_audio(path).notes[0]
        waveform = read_waveform(path)
        assert waveform.missing == ((0, SAMPLE_RATE_HZ),)
        assert waveform.observed(np.array([0.1]), np.array([0.3])).tolist() == [0]


def test_silence_before_somebody_speaks_is_observed(tmp_path):
    waveform = read_waveform(make_wav(tmp_path / "a.wav", beep(1.0), RATE_HZ))
    assert waveform.missing == ()
    assert waveform.observed(np.array([0.1]), np.array([0.3])).tolist() == [1]


def test_channels_in_opposite_phase_are_told_and_one_can_be_chosen(tmp_path):
    samples = tone(1, RATE_HZ, 1000.0)
    path = make_wav(tmp_path / "a.wav", np.stack([samples, -samples], 1), RATE_HZ)
    survey = probe_audio(path)
    assert survey.cancelled
    assert "cancel each other" in survey.notes[0]
    one = read_waveform(MediaTrack(path, channel=2))
    assert np.abs(one.samples).max() == pytest.approx(0.3, abs=0.02)
    assert not probe_audio(MediaTrack(path, channel=2)).notes
    with pytest.raises(InputError, match="audio_channel is 3, but the sound has 2 channels"):
        read_waveform(MediaTrack(path, channel=3))
    wide = make_wav(tmp_path / "b.wav", np.stack([samples, np.roll(samples, 7)], 1), RATE_HZ)
    assert not probe_audio(wide).cancelled


def mp4_with_zeroed_packets(path, numbers):
    """Sound with the content of some packets replaced."""
    write_clip(path, 0, video=None, sounds=[tone(3, RATE_HZ, 1000.0)])
    content = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        for number, packet in enumerate(p for p in container.demux(audio=0) if p.size):
            if number in numbers:
                content[packet.pos : packet.pos + packet.size] = b"\xff" * packet.size
    path.write_bytes(content)
    return path


def test_damaged_packets_are_a_stretch_without_sound(tmp_path):
    path = mp4_with_zeroed_packets(tmp_path / "a.m4a", range(60, 65))
    survey = probe_audio(path)
    told = " ".join(survey.notes)
    assert "packets of sound are damaged, the first at 1.2" in told
    assert f"{survey.lost_s:.2f} s of sound are missing in 1 places" in told
    assert 0.05 < survey.lost_s < 0.15
    waveform = read_waveform(path)
    ((first, stop),) = waveform.missing
    assert first / SAMPLE_RATE_HZ == pytest.approx(60 * 1024 / RATE_HZ, abs=0.03)
    assert (stop - first) / SAMPLE_RATE_HZ == pytest.approx(survey.lost_s, abs=0.002)
    assert len(waveform.samples) / SAMPLE_RATE_HZ == pytest.approx(3, abs=0.05)
    assert waveform.observed(np.array([0.5, 1.29]), np.array([0.6, 1.31])).tolist() == [1, 0]


@pytest.mark.parametrize("clock", [1.05, 0.95, 1.005])
def test_a_drifting_clock_is_followed_both_ways(tmp_path, clock):
    """The last second of 20 s of samples is a beep; by its stamps it lies at 19 s times the clock."""
    path = tmp_path / "a.mkv"
    samples = beep(19.0, 20.0, 16_000)
    with av.open(str(path), "w") as container:
        track = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        write_sound(container, track, samples[None].astype(np.float32), 16_000, clock=clock, codec_format="s16")
    waveform = read_waveform(path)
    assert onset_s(waveform) == pytest.approx(19.0 * clock, abs=0.025)
    assert waveform.missing == ()
    assert f"stamps run {abs(clock - 1):.2%} {'faster' if clock > 1 else 'slower'}" in " ".join(probe_audio(path).notes)
    assert len(waveform.samples) / SAMPLE_RATE_HZ == pytest.approx(20 * clock, abs=0.025)


def test_a_hole_is_not_taken_for_a_drift(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        track = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        samples = tone(4, 16_000)[None].astype(np.float32)
        write_sound(container, track, samples[:, :32_768], 16_000, codec_format="s16", end=False)
        write_sound(container, track, samples[:, 32_768:], 16_000, from_s=3.048, codec_format="s16")
    waveform = read_waveform(path)
    ((first, stop),) = waveform.missing
    assert (first, stop) == (pytest.approx(32_768, abs=16), pytest.approx(48_768, abs=16))


def test_a_claim_that_the_file_cannot_hold_allocates_nothing(tmp_path):
    path = tmp_path / "a.mka"
    with av.open(str(path), "w", format="matroska") as container:
        track = container.add_stream("aac", rate=16_000, layout="mono")
        samples = tone(1, 16_000)[None].astype(np.float32)
        write_sound(container, track, samples, 16_000)
    far = shift_stamps(path, tmp_path / "b.mka", 1_000_000, first_packet=10, format="matroska")
    for read in (read_waveform, probe_audio):
        with pytest.raises(InputError, match=r"b\.mka: its time stamps span 277\.\d+ h, which a file of \d+ bytes"):
            read(far)


def test_a_video_without_sound_has_none(tmp_path):
    assert not has_sound(write_clip(tmp_path / "v.mp4", 5))
    assert has_sound(write_clip(tmp_path / "w.mp4", 5, sounds=[tone(1, RATE_HZ)]))


def test_estimated_lengths_are_no_promises(tmp_path):
    """An MP3 of variable rate without a length header: FFmpeg estimates its length from the rate of its beginning."""
    loud = np.random.default_rng(0).uniform(-0.5, 0.5, RATE_HZ * 4)
    samples = np.concatenate([np.zeros(RATE_HZ * 4), loud])
    path = write_clip(
        tmp_path / "a.mp3",
        0,
        video=None,
        sounds=[samples],
        sound_codec="libmp3lame",
        container_options={"write_xing": "0"},
    )
    assert probe_audio(path).end_s == pytest.approx(8, abs=0.1)


def test_a_wav_that_was_cut_short_is_refused(tmp_path):
    path = make_wav(tmp_path / "a.wav", tone(3))
    path.write_bytes(path.read_bytes()[:40_000])
    with pytest.raises(
        InputError, match=r"a\.wav: ends at 1\.25 s after 40000 bytes, but its header promises 96044 bytes"
    ):
        probe_audio(path)


def test_the_time_base_of_stamps_is_that_of_the_packets(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        track = container.add_stream("aac", rate=RATE_HZ, layout="mono")
        track.time_base = Fraction(1, RATE_HZ)
        write_sound(container, track, beep(1.0)[None].astype(np.float32), RATE_HZ, from_s=4.0)
    waveform = read_waveform(path)
    assert waveform.start_s == pytest.approx(4, abs=0.03)
    assert onset_s(waveform) == pytest.approx(5, abs=0.03)
