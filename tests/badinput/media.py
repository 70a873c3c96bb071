"""Media that `damamba init` refuses; `ingest` and all stages after it open them in the same way."""

import gzip
import struct
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from tests.badinput.cases import BadInput
from tests.badinput.predictions import packed
from tests.conftest import make_video, make_wav, tone

RANDOM = np.random.default_rng(0).integers(0, 256, 10_000, dtype=np.uint8).tobytes()
SOUNDS = (".wav", ".ogg", ".flac", ".opus", ".m4a", ".mp3")
UNREADABLE = ": not a readable media file…"


@cache
def sound(suffix: str = ".mp4") -> tuple[bytes, bytes]:
    """A video of a second without sound, and a sound."""
    with tempfile.TemporaryDirectory() as folder:
        codec = "libvpx" if suffix == ".webm" else "libx264"
        video = make_video(Path(folder) / f"v{suffix}", (np.arange(25) / 25).tolist(), codec=codec)
        return video.read_bytes(), make_wav(Path(folder) / "v.wav", tone(1)).read_bytes()


def video(suffix: str = ".mp4") -> bytes:
    """A video that can be read."""
    return sound(suffix)[0]


def wav(**changes: int) -> bytes:
    """A sound with other numbers in its header."""
    names = ("format", "channels", "rate", "bytes_a_second", "block", "bits")
    values = dict(zip(names, (1, 1, 16_000, 32_000, 2, 16), strict=True)) | changes
    header = b"fmt " + struct.pack("<IHHIIHH", 16, *values.values())
    return (
        b"RIFF" + struct.pack("<I", 36 + 2000) + b"WAVE" + header + b"data" + struct.pack("<I", 2000) + b"\1\0" * 1000
    )


def _case(name: str, line: str, contents: dict[str, bytes]) -> BadInput:
    def make(folder: Path) -> list[str]:
        others = {} if any(Path(file).suffix in SOUNDS for file in contents) else {"a.wav": sound()[1]}
        for file, content in {**others, **contents}.items():
            path = folder / "r/s" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return ["init", "r", "--no-faces"]

    return BadInput(name, make, line)


def picture(name: str, content: bytes, line: str = UNREADABLE, file: str = "a.mp4") -> BadInput:
    """A video file, and the line without its name in front."""
    return _case(name, f"r/s/{file}{line}", {file: content})


def heard(name: str, content: bytes, line: str = UNREADABLE, file: str = "a.wav") -> BadInput:
    """A sound file beside a good video, and the line without its name in front."""
    return _case(name, f"r/s/{file}{line}", {"a.mp4": video(), file: content})


def dangling_link(folder: Path) -> list[str]:
    """A link to nothing is no file."""
    (folder / "r").mkdir()
    (folder / "r/a.mp4").symlink_to(folder / "gone.mp4")
    return ["init", "r", "--no-faces"]


MEDIA = [
    picture("a video of 0 bytes", b"", ": the file is empty…"),
    picture("text called a video", b"hello\n" * 99),
    picture("a web page called a video", b"<!DOCTYPE html><html><body>Sign in</body></html>" * 9),
    picture("JSON called a video", b'{"error": "expired"}'),
    picture("a pointer of Git LFS", b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 9\n"),
    picture("a PDF called a video", b"%PDF-1.7\n" + RANDOM),
    picture("a zip called a video", packed(("a.mp4", "x"))),
    picture("a compressed video", gzip.compress(video(), mtime=0)),
    picture("a program called a video", b"MZ\x90\0" + RANDOM),
    picture("random bytes called a video", RANDOM),
    picture("zeros called a video", b"\0" * 10_000),
    picture("a playlist called a video", b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n"),
    picture("a list of files called a video", b"ffconcat version 1.0\nfile /etc/passwd\n"),
    picture("a session description called a video", b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video 5004 RTP/AVP 96\n"),
    picture("subtitles called a video", b"1\n00:00:00,000 --> 00:00:01,000\nhello\n", "…"),
    picture("a sound called a video", sound()[1], "…no video in it…"),
    picture("a video cut off in its first box", video()[:20]),
    picture("a video cut off before its table", video()[: len(video()) // 3]),
    picture("a video whose table is cut off", video()[:-300], "…"),
    picture("a type of file alone", video()[:32]),
    picture("a box without end", b"\0\0\0\x20ftypisom" + b"\0" * 20 + b"\xff\xff\xff\xffmoov" + RANDOM[:200], "…"),
    picture("a Matroska file cut off", video(".mkv")[:60], file="a.mkv"),
    picture("a WebM file cut off", video(".webm")[:120], file="a.webm"),
    picture("an AVI of a header", b"RIFF\x10\0\0\0AVI LIST", file="a.avi"),
    picture("a QuickTime file of text", b"hello\n" * 99, file="a.mov"),
    picture("an FLV of a header", b"FLV\x01\x05\0\0\0\x09\0\0\0\0", "…", file="a.flv"),
    picture("an MPEG file of zeros", b"\0" * 5000, file="a.mpg"),
    picture("a transport stream of sync bytes", (b"G" + b"\xff" * 187) * 40, "…", file="a.ts"),
    heard("a sound of 0 bytes", b"", ": the file is empty…"),
    heard("text called a sound", b"hello\n" * 99, "…"),
    heard("a sound cut off in its header", wav()[:20], "…"),
    heard("a sound of a header", wav()[:44], "…"),
    heard("a sound without channels", wav(channels=0), "…"),
    heard("a sound without a rate", wav(rate=0, bytes_a_second=0), "…"),
    heard("a sound of an unknown format", wav(format=0x7777), "…"),
    heard("a video called a sound", video(), "…no audio in it…"),
    heard("random bytes called a sound", RANDOM, "…", "a.ogg"),
    heard("a FLAC file of a mark", b"fLaC", "…", "a.flac"),
    heard("an Ogg file of a page's head", b"OggS" + b"\0" * 23, "…", "a.opus"),
    heard("an M4A file of a type", video()[:32], "…", "a.m4a"),
    heard("an MP3 file of text", b"hello\n" * 99, "…", "a.mp3"),
    BadInput("a link to no video", dangling_link, "r: no video in it (0 files); expected one file a participant, such as s01/anna.mp4, or feature streams, which damamba import makes"),
]  # fmt: skip
