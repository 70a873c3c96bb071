"""Memory and time of ingest, tracking, extraction, alignment and prediction by the length of a video.

    python -m benchmarks.long_video --minutes 5 60

Films the face of the built-in simulator for some seconds and repeats film and sound, packet by packet, to each length.
Another session of a minute is there to be trained on, the long one is predicted. The stages run as `dvc repro` would
run them, in one worker, so that its memory is in the sum: the largest memory that belongs to a stage and to all its
processes together (RssAnon, MiB), without files that are mapped into memory.
"""

import argparse
import json
import shutil
import sys
import tempfile
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import yaml

from benchmarks.long_sessions import ROOT, run_stage

LANDMARKER = "data/landmarker/face_landmarker.task"
CLIP_MIN, TRAIN_MIN = 0.2, 1.0
TICKS_HZ = 90_000
SAMPLE_HZ = 16_000
STAGES = {
    "ingest": ["ingest.py"],
    "track_faces": ["track_faces.py"],
    **{
        f"extract@{cue}": ["extract.py", cue]
        for cue in ("wav2vec2", "emotion", "clip", "flow", "landmark_flow", "expression")
    },
    "align": ["align.py"],
    "train@da_mamba-0": ["train.py", "da_mamba-0"],
    "evaluate@da_mamba-0": ["evaluate.py", "da_mamba-0"],
}


def film_clip(folder: Path, resolution: tuple[int, int]) -> tuple[Path, Path]:
    """Video and sound of one simulated participant."""
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf8"))
    none = {corpus: {"train": 0, "val": 0, "test": 0} for corpus in values["simulate"]["sessions"]}
    values["simulate"] |= {
        "minutes": CLIP_MIN,
        "resolution": list(resolution),
        "flaws": 0,
        "sessions": none | {"noxi": {"train": 1, "val": 0, "test": 0}},
    }
    prepare(folder, values)
    run_stage(folder, ["stages/simulate.py"])
    video = min((folder / "data/raw").rglob("*.mp4"))
    return video, video.with_name(video.name.replace("video.mp4", "audio.wav"))


def prepare(folder: Path, values: dict) -> None:
    """Stages, landmarker and parameters in a folder."""
    shutil.copytree(ROOT / "stages", folder / "stages")
    (folder / LANDMARKER).parent.mkdir(parents=True)
    shutil.copy2(ROOT / LANDMARKER, folder / LANDMARKER)
    (folder / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf8")


def repeat_video(clip: Path, path: Path, minutes: float, fps: int) -> None:
    """The pictures of a clip again and again, at `fps`, without encoding them."""
    with av.open(str(clip)) as source, av.open(str(path), "w") as out:
        track = source.streams.video[0]
        packets = [packet for packet in source.demux(track) if packet.dts is not None]
        first = min(packet.pts for packet in packets)
        tick = Fraction(TICKS_HZ, fps) * track.time_base * track.average_rate  # new ticks for one of the clip
        target = out.add_stream_from_template(track)
        target.time_base = Fraction(1, TICKS_HZ)
        content = [(bytes(packet), packet.pts - first, packet.dts - first, packet.is_keyframe) for packet in packets]
        for frame in range(0, round(minutes * 60 * fps), len(content)):
            start = frame * TICKS_HZ // fps
            for data, pts, dts, key in content:
                packet = av.Packet(data)
                packet.stream, packet.time_base, packet.is_keyframe = target, target.time_base, key
                packet.pts, packet.dts = start + round(pts * tick), start + round(dts * tick)
                packet.duration = TICKS_HZ // fps
                out.mux(packet)


def repeat_sound(clip: Path, path: Path, minutes: float) -> None:
    """The sound of a clip again and again."""
    with av.open(str(clip)) as source:
        resampler = av.AudioResampler("s16", "mono", SAMPLE_HZ)
        frames = [part for frame in source.decode(audio=0) for part in resampler.resample(frame)]
    samples = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(SAMPLE_HZ)
        left = round(minutes * 60 * SAMPLE_HZ)
        while left > 0:
            out.writeframes(samples[:left].tobytes())
            left -= len(samples)


def write_recordings(folder: Path, clip: tuple[Path, Path], minutes: float, fps: int) -> None:
    """A session of a minute to train on, a long one to predict, their manifest and the parameters."""
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf8"))
    values["corpus"]["sources"] = ["folder"]
    values["extract"]["executor"] = "serial"
    values["runs"] = ["da_mamba-0"]
    values["train"] |= {"steps": 2, "warmup_steps": 0, "validate_steps": 2, "checkpoint_steps": 2}
    prepare(folder, values)
    recordings = folder / values["corpus"]["folder"]["root"]
    recordings.mkdir(parents=True)
    rows = ["session,participant,role,split,language,person,video,audio,label"]
    for split, length_min in (("train", TRAIN_MIN), ("test", minutes)):
        repeat_video(clip[0], recordings / f"{split}.mp4", length_min, fps)
        repeat_sound(clip[1], recordings / f"{split}.wav", length_min)
        value = 0.5 + 0.4 * np.sin(np.arange(round(length_min * 60 * 25)) / 200)
        np.savetxt(recordings / f"{split}.csv", value, "%.4f")
        rows.append(f"{split},p,host,{split},en,{split},{split}.mp4,{split}.wav,{split}.csv")
    (recordings / "manifest.csv").write_text("\n".join(rows) + "\n", encoding="utf8")


def measure(clip: tuple[Path, Path], minutes: float, fps: int, stages: list[str]) -> dict[str, object]:
    """All stages on a video of this length."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_recordings(folder, clip, minutes, fps)
        seen = {}
        for stage, (script, *rest) in STAGES.items():
            seen[stage] = run_stage(folder, [f"stages/{script}", *rest])
            print(f"{minutes:g} min, {stage}: {seen[stage]}", file=sys.stderr, flush=True)
            if stages and stage == stages[-1]:
                break
    return {"minutes": minutes, "fps": fps, "stages": seen}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, nargs="+", default=[5.0, 60.0])
    parser.add_argument("--fps", type=int, default=25)
    parser.add_argument("--resolution", type=int, nargs=2, default=[320, 240], metavar="PX")
    parser.add_argument("--until", choices=list(STAGES), help="last stage")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        film = film_clip(Path(temporary), tuple(options.resolution))
        for length in options.minutes:
            row = measure(film, length, options.fps, [options.until] if options.until else [])
            print(json.dumps({"resolution": options.resolution} | row), flush=True)
