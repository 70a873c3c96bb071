"""Raw media beside released streams: the same extractors as for one's own recordings, on the streams' clock."""

import json
from pathlib import Path

import numpy as np
import pytest

from damamba.config import Params, parse_section
from damamba.corpus.manifest import Manifest
from damamba.data.align import align_all
from damamba.data.shards import Aligned
from damamba.extractors.flow import Flow
from damamba.extractors.official import Official
from damamba.extractors.wav2vec2 import Wav2Vec2
from damamba.features.extract import extract_all
from damamba.features.faces import FaceTracker
from damamba.ingest.run import ingest
from damamba_sim.faces.actor import Actor, Pose
from damamba_sim.faces.render import write_video
from tests.conftest import frozen_values, make_wav, serially, tone
from tests.corpus import release

ROOT = Path(__file__).parents[2]
SESSION = "023"
N = release.n_frames("noxi", SESSION)
LONGER = 40
"""Frames of the novice's video after the last row of the streams."""
EXTRACTORS = {"wav2vec2": Wav2Vec2, "flow": Flow, "openface": Official}


@pytest.fixture
def root(tmp_path) -> Path:
    """A session of the release with its videos and sounds."""
    folder = tmp_path / "release/noxi/train" / SESSION
    release.build_session("noxi", SESSION, folder, folder)
    actor = Actor(0, ROOT / "data/landmarker/face_landmarker.task", 320, 240)
    pictures = [actor.render(Pose(), k) for k in range(N + LONGER)]
    for role, n in (("expert", N), ("novice", N + LONGER)):
        write_video(folder / f"{role}.video.mp4", iter(pictures[:n]), (np.arange(n) / 25).tolist(), 25)
        make_wav(folder / f"{role}.audio.wav", tone(n / 25))
    return tmp_path / "release"


def params_of(root: Path) -> Params:
    values = frozen_values()
    nothing = {"noxi": {"val": None, "test": None}, "noxi_add": {"test": None}, "mpiigi": {"val": None, "test": None}}
    values["corpus"]["sources"] = ["official"]
    values["corpus"]["official"] |= {"root": str(root), "media": True, "features_at": nothing}
    values["faces"]["model"] = str(ROOT / values["faces"]["model"])
    released = {"group": "visual", "extractor": "official", "reads": "corpus", "stream": "openface2", "drop": [0, 1, 2]}
    values["cues"] = {name: values["cues"][name] for name in ("wav2vec2", "flow")} | {"openface": released}
    return Params.model_validate(values)


@pytest.mark.slow
def test_media_and_streams_of_a_release_are_cues_on_one_grid(root, tmp_path):
    params = params_of(root)
    ingest(params.corpus, tmp_path / "corpus", serially)
    manifest = Manifest.read(tmp_path / "corpus/manifest.jsonl")
    expert, novice = manifest.participants
    assert expert.video.endswith("023/expert.video.mp4")
    assert expert.audio.endswith("023/expert.audio.wav")
    assert (expert.n_frames, novice.n_frames) == (N, N + LONGER)
    assert novice.duration_s < N / 25 + 0.2  # of the streams
    defects = json.loads((tmp_path / "corpus/defects.json").read_text())["defects"]
    assert {d["where"] for d in defects if d["kind"] == "media_length"} == {"noxi/023/novice"}

    extract_all(FaceTracker, params.faces, manifest.participants, tmp_path / "faces", serially)
    for name, cue in params.cues.items():
        extractor = EXTRACTORS[name]
        own = parse_section(extractor.Params, cue.settings(), name)
        faces = tmp_path / "faces" if cue.reads == "faces" else None
        extract_all(extractor, own, manifest.participants, tmp_path / "features" / name, serially, faces)
    align_all(
        params.cues,
        params.align,
        "as given",
        manifest,
        tmp_path / "features",
        tmp_path / "corpus",
        tmp_path / "aligned",
        serially,
    )

    aligned = Aligned.read(tmp_path / "aligned")
    (session,) = aligned.sessions
    assert session.n_labels == max(round(p.duration_s * 25) for p in manifest.participants)
    for seat in session.seats:
        shard = aligned.shard(session, seat.participant)
        for cue in params.cues:
            assert shard.read(cue, 0, shard.rows)[1].mean() > 0.9
