"""A short conversation to try the software on: a test session of the demo -> examples/dyad, sound inside the videos.

    python examples/make_dyad.py data/raw/noxi/test-base/018

The people are simulated; no model of the demo has been trained on them.
"""

import argparse
from pathlib import Path

import av

OUT = Path(__file__).parent / "dyad"
BIT_RATE = 64_000


def join(video: Path, sound: Path, out: Path) -> None:
    """The pictures of one file, as they are, and the sound of another as AAC."""
    with av.open(str(video)) as pictures, av.open(str(sound)) as samples, av.open(str(out), "w") as target:
        source = pictures.streams.video[0]
        track = target.add_stream_from_template(source)
        voice = target.add_stream("aac", rate=samples.streams.audio[0].rate)
        voice.bit_rate = BIT_RATE
        for packet in pictures.demux(source):
            if packet.dts is not None:
                packet.stream = track
                target.mux(packet)
        for frame in samples.decode(audio=0):
            target.mux(voice.encode(frame))
        target.mux(voice.encode(None))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("session", type=Path)
    session: Path = parser.parse_args().session
    OUT.mkdir(exist_ok=True)
    for role in ("expert", "novice"):
        join(session / f"{role}.video.mp4", session / f"{role}.audio.wav", OUT / f"{role}.mp4")
