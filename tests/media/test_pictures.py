"""Pictures of real files as a player shows them: upright, in order, at their times, damage left out."""

import gc
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from damamba.console import InputError
from damamba.media.decode import FrameReader, read_frames
from damamba.media.glance import length_s, sample_frames
from damamba.media.probe import has_sound, probe_video
from damamba.media.track import MediaTrack
from tests.conftest import tone
from tests.media.specimens import SIZE_PX, join, number_of, picture, shift_stamps, write_clip

TURNS = [(0, False), (90, False), (180, False), (270, False), (0, True), (90, True), (180, True), (270, True)]


def numbers_and_times(path, **track):
    frames = list(read_frames(MediaTrack(path, **track)))
    return [number_of(frame.image) for frame in frames], np.array([frame.t_s for frame in frames])


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize(("turn", "mirror"), TURNS)
def test_pictures_are_turned_and_mirrored_as_a_player_does(tmp_path, turn, mirror, suffix):
    """FFmpeg writes a matrix that turns counter-clockwise and then mirrors; so does numpy here."""
    path = write_clip(tmp_path / f"v{suffix}", 2, rotate=turn, mirror=mirror)
    expected = np.rot90(picture(1), turn // 90)
    expected = expected[:, ::-1] if mirror else expected
    shown = list(read_frames(path))[1].image
    assert shown.shape == expected.shape
    assert np.abs(shown.astype(int) - expected).mean() < 4
    glanced = next(iter(sample_frames(path, 1)))
    assert glanced.shape == expected.shape
    video = probe_video(path)
    assert (video.height, video.width) == expected.shape[:2]


@pytest.mark.parametrize(("aspect", "size"), [(Fraction(3, 2), (96, 48)), (Fraction(1, 2), (64, 96)), (None, (64, 48))])
def test_pixels_become_square(tmp_path, aspect, size):
    path = write_clip(tmp_path / "v.mp4", 3, aspect=aspect)
    frames = list(read_frames(path))
    assert frames[0].image.shape[1::-1] == size
    assert [number_of(frame.image) for frame in frames] == [0, 1, 2]
    video = probe_video(path)
    assert (video.width, video.height) == size


def test_an_absurd_shape_of_pixels_is_not_applied(tmp_path):
    path = write_clip(tmp_path / "v.mkv", 2, aspect=Fraction(500, 1))
    assert next(iter(read_frames(path))).image.shape[1::-1] == SIZE_PX


@pytest.mark.parametrize(("suffix", "video", "sound"), [(".ts", "libx264", "aac"), (".mpg", "mpeg2video", "mp2")])
def test_a_clock_that_starts_anywhere_starts_the_session(tmp_path, suffix, video, sound):
    options = {"crf": "12"} if video == "libx264" else {"b": "2M"}
    path = write_clip(
        tmp_path / f"v{suffix}", 50, video=video, options=options, sounds=[tone(2, 48_000)], sound_codec=sound
    )
    numbers, t_s = numbers_and_times(path)
    assert numbers == list(range(50))
    assert t_s == pytest.approx(t_s[0] + np.arange(50) / 25, abs=2e-3)
    assert 0 <= t_s[0] < 0.05
    video_seen = probe_video(path)
    assert video_seen.end_s == pytest.approx(2, abs=0.06)
    assert length_s(path) < 2.2


def test_a_broadcast_clock_of_hours_is_taken_off(tmp_path):
    early = write_clip(tmp_path / "a.ts", 25)
    late = shift_stamps(early, tmp_path / "b.ts", 20_000)
    assert numbers_and_times(late)[1] == pytest.approx(np.arange(25) / 25, abs=1e-3)
    assert probe_video(late).end_s == pytest.approx(1, abs=0.01)


def test_a_late_picture_in_an_mp4_stays_late(tmp_path):
    for sounds in ([tone(2, 48_000)], []):
        path = write_clip(tmp_path / "v.mp4", 25, video_from_s=0.4, sounds=sounds)
        assert numbers_and_times(path)[1] == pytest.approx(0.4 + np.arange(25) / 25, abs=1e-3)


def test_pictures_of_an_avi_with_b_frames_are_all_read_in_order(tmp_path):
    path = write_clip(tmp_path / "v.avi", 150, options={"bf": "3", "crf": "12"})
    numbers, t_s = numbers_and_times(path)
    assert numbers == list(range(150))
    assert t_s == pytest.approx(np.arange(150) / 25, abs=1e-6)
    video = probe_video(path)
    assert (video.n_frames, video.start_s) == (150, 0)
    assert "order of decoding" in video.notes[0]


def test_transport_streams_that_were_joined_run_on(tmp_path):
    halves = [write_clip(tmp_path / f"{n}.ts", n, options={"bf": "2", "crf": "12"}) for n in (50, 75)]
    for parts, expected in (((0, 1), 125), ((0, 0), 100)):
        path = join(tmp_path / "v.ts", *(halves[part] for part in parts))
        numbers, t_s = numbers_and_times(path)
        assert numbers == [*range(50), *range(expected - 50)]
        assert t_s == pytest.approx(np.arange(expected) / 25, abs=2e-3)
        video = probe_video(path)
        assert video.n_frames == expected
        assert "its clock jumps 1 times" in video.notes[0]


def test_a_clock_that_jumps_ahead_in_a_joined_stream_is_no_pause(tmp_path):
    first = write_clip(tmp_path / "a.ts", 25)
    path = join(tmp_path / "v.ts", first, shift_stamps(first, tmp_path / "b.ts", 5000))
    assert numbers_and_times(path)[1] == pytest.approx(np.arange(50) / 25, abs=2e-3)


def restamped(source: Path, target: Path, change) -> Path:
    """Copy of a clip without B-frames whose stamps (ticks of 1/1000 s) are changed by `change(number, ticks)`."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        packets = [p for p in old.demux(video=0) if p.size]
        for number, packet in enumerate(packets):
            packet.pts = packet.dts = change(number, packet.pts)
            packet.stream = stream
            new.mux(packet)
    return target


def test_pictures_that_repeat_a_stamp_are_kept_and_spread(tmp_path):
    plain = write_clip(tmp_path / "a.mkv", 50, options={"bf": "0", "crf": "12"})
    path = restamped(plain, tmp_path / "v.mkv", lambda number, ticks: ticks - 40 * (number in (10, 30)))
    numbers, t_s = numbers_and_times(path)
    assert numbers == list(range(50))
    assert t_s == pytest.approx(np.arange(50) / 25, abs=1e-3)
    assert "2 of 50 pictures repeat a stamp" in probe_video(path).notes[0]


def test_pictures_that_an_edit_list_discards_are_not_counted(tmp_path):
    """The list of the file begins its media 1 s in: 25 pictures are decoded and not shown."""
    path = write_clip(tmp_path / "v.mp4", 75, options={"bf": "0", "crf": "12", "g": "250"})
    content = path.read_bytes()
    at = content.index(b"elst") + 4
    entry = at + 8
    assert struct.unpack(">I", content[at + 4 : at + 8]) == (1,)
    duration, media, rate = struct.unpack(">IiI", content[entry : entry + 12])
    edited = struct.pack(">IiI", duration - 1000, media + 12_800, rate)
    path.write_bytes(content[:entry] + edited + content[entry + 12 :])
    numbers, t_s = numbers_and_times(path)
    assert numbers == list(range(25, 75))
    assert t_s == pytest.approx(np.arange(50) / 25, abs=1e-3)
    video = probe_video(path)
    assert (video.n_frames, video.start_s) == (50, pytest.approx(0, abs=1e-3))


def spoiled(path: Path, source: Path, packet: int, kind: str = "video") -> Path:
    """Copy of an MP4 in which the content of one packet is zeros."""
    with av.open(str(source)) as container:
        chosen = [p for p in container.demux(container.streams.get({kind: 0})) if p.size][packet]
        at, size = chosen.pos, chosen.size
    content = bytearray(source.read_bytes())
    content[at + 5 : at + size] = bytes(size - 5)
    path.write_bytes(content)
    return path


def test_a_damaged_picture_and_those_that_depend_on_it_are_left_out_and_told(tmp_path):
    whole = write_clip(tmp_path / "a.mp4", 75, options={"bf": "0", "crf": "12", "g": "25", "sc_threshold": "0"})
    path = spoiled(tmp_path / "v.mp4", whole, 30)
    reader = FrameReader(path)
    frames = list(reader)
    assert [number_of(frame.image) for frame in frames] == [*range(30), *range(50, 75)]
    assert [frame.t_s for frame in frames] == pytest.approx([k / 25 for k in [*range(30), *range(50, 75)]])
    assert (reader.promised, reader.decoded, len(reader.damaged_s)) == (75, 55, 20)
    assert "20 of 75 pictures are damaged or missing, the first at 1.20 s" in reader.note
    whole_reader = FrameReader(whole)
    assert len(list(whole_reader)) == 75
    assert whole_reader.note == ""


def test_a_video_of_which_nothing_can_be_decoded_is_refused_with_the_counts(tmp_path):
    path = write_clip(tmp_path / "v.mp4", 3, options={"bf": "0", "g": "250"})
    for packet in range(3):
        path = spoiled(tmp_path / "v.mp4", path, packet)
    with pytest.raises(InputError, match=r"v\.mp4: no(ne of its 3)? pictures? can be decoded"):
        list(read_frames(path))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_metadata_in_another_encoding_are_no_error(tmp_path, suffix):
    path = write_clip(tmp_path / f"v{suffix}", 5, metadata={"title": "Gespraech"})
    path.write_bytes(path.read_bytes().replace(b"Gespraech", "Gespr\xe4che".encode("latin1")))
    assert len(list(read_frames(path))) == probe_video(path).n_frames == 5
    assert length_s(path) > 0


def test_the_default_track_is_read_and_others_are_chosen(tmp_path):
    path = tmp_path / "v.mkv"
    with av.open(str(path), "w") as container:
        streams = []
        for number in (0, 1):
            stream = container.add_stream("libx264", rate=25, options={"crf": "12"})
            stream.width, stream.height, stream.pix_fmt = *SIZE_PX, "yuv420p"
            stream.disposition = av.stream.Disposition.default if number else av.stream.Disposition(0)
            streams.append(stream)
        for number in range(10):
            for k, stream in enumerate(streams):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number + 100 * k))))
        for stream in streams:
            container.mux(stream.encode())
    assert numbers_and_times(path)[0] == list(range(100, 110))
    assert numbers_and_times(path, number=1)[0] == list(range(10))
    assert "2 video tracks" in probe_video(path).notes[0]
    assert probe_video(MediaTrack(path, 2)).notes == ()
    with pytest.raises(InputError, match="video_track is 3, but it has 2"):
        list(read_frames(MediaTrack(path, 3)))


def test_a_length_that_the_file_cannot_hold_is_refused(tmp_path):
    plain = write_clip(tmp_path / "a.mkv", 5, options={"bf": "0"})
    path = restamped(plain, tmp_path / "v.mkv", lambda number, ticks: ticks + 2_000_000_000 * (number == 4))
    for read in (probe_video, lambda path: list(read_frames(path)), length_s):
        with pytest.raises(InputError, match=r"v\.mkv: its time stamps span 555\.56 h, which a file of \d+ bytes"):
            read(path)


def test_ends_that_differ_are_no_cut_and_a_cut_is_refused(tmp_path):
    for suffix in (".mp4", ".mkv", ".mov", ".avi"):
        path = write_clip(tmp_path / f"v{suffix}", 25, sounds=[tone(4, 48_000)], options={"bf": "0"})
        assert probe_video(path).end_s == pytest.approx(1, abs=0.05)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(InputError, match=r"cut short|not a readable|index \(moov\) is missing"):
            probe_video(path)


def test_a_last_picture_that_is_held_is_no_cut(tmp_path):
    plain = write_clip(tmp_path / "a.mp4", 25, options={"bf": "0"})
    for suffix in (".mp4", ".mkv"):
        path = restamped(plain, tmp_path / f"v{suffix}", lambda number, ticks: ticks + 60_000 * (number == 24))
        assert probe_video(path).n_frames == 25


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"#EXTM3U\nv.mp4\n", "but a playlist"),
        (b"\x89PNG\r\n\x1a\n" + bytes(99), "but a still picture"),
        (b"PK\x03\x04" + bytes(99), "but an archive"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"\0\0\1\0mdat" + bytes(200), r"its index \(moov\) is missing"),
        (b"some text\n" * 90, r"docs/media\.md"),
    ],
)
def test_the_reason_is_true_where_a_file_is_no_media(tmp_path, content, expected):
    path = tmp_path / "v.mp4"
    path.write_bytes(content)
    with pytest.raises(InputError, match=expected):
        probe_video(path)


def test_a_gif_and_cover_art(tmp_path):
    path = tmp_path / "v.gif"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("gif", rate=25)
        stream.width, stream.height, stream.pix_fmt = *SIZE_PX, "rgb8"
        for number in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number)).reformat(format="rgb8")))
        container.mux(stream.encode())
    assert numbers_and_times(path)[0] == list(range(5))
    assert not has_sound(path)


def test_a_picture_that_was_read_is_given_back_at_once(tmp_path):
    """Not when Python next looks for cycles: by then hundreds of pictures fill the memory, or leave holes in it."""
    path = write_clip(tmp_path / "v.mp4", 12)
    gc.collect()
    gc.disable()
    try:
        before = sum(type(each) is av.VideoFrame for each in gc.get_objects())
        for _ in read_frames(path):
            pass
        assert sum(type(each) is av.VideoFrame for each in gc.get_objects()) <= before + 1
    finally:
        gc.enable()
