"""Causal from media to score: pixels and samples change from an instant on, and no score before it does.

Real files, the extractors of the repository with its own checkpoints, the grid, a causal model with random weights.
"""

import json
import runpy
from pathlib import Path

import av
import numpy as np
import pytest
import torch
import yaml

from damamba import plugins
from damamba.config import EXTRACTORS, ModelParams, Params, WindowParams
from damamba.corpus.labels import Labels
from damamba.corpus.manifest import Manifest, Participant
from damamba.data.align import align_all
from damamba.data.batch import WindowReader
from damamba.data.causality import delay_of
from damamba.data.shards import Aligned
from damamba.data.windows import WindowGrid
from damamba.features.extract import extract_all
from damamba.features.extractor import Extractor
from damamba.features.faces import FaceTracker
from damamba.files import sha256
from damamba.inference import predict
from damamba.ingest.run import write_labels
from damamba.media.decode import read_frames
from damamba.media.sound import read_waveform
from damamba.model import build_model
from damamba.streams.reader import read_stream
from damamba.streams.stream import FeatureStream
from damamba_sim.faces.actor import Actor, Pose
from tests.conftest import frozen_values, make_wav, serially

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
SECONDS, EVENT_S = 1.8, 1.02
"""The event is between two frames of the video, and not on a label."""
FRAMES = round(SECONDS * 25)
CAUSAL = ("wav2vec2", "emotion", "flow", "landmark_flow")
"""Cues that need `causal: true`."""


def causal_params() -> Params:
    """The default parameters, made causal."""
    values = frozen_values()
    values["faces"]["model"] = str(ROOT / values["faces"]["model"])
    for cue in values["cues"].values():
        if "checkpoint" in cue:
            cue["checkpoint"] = str(ROOT / cue["checkpoint"])
    for cue in CAUSAL:
        values["cues"][cue]["causal"] = True
    values["align"]["causal"] = True
    values["architectures"]["da_mamba"]["causal"] = True
    params = Params.model_validate(values)
    params.check_settings()
    return params


def film(path: Path, pictures: list[np.ndarray]) -> Path:
    """A video without loss, each picture coded by itself, so that a change of one changes no other."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> Path:
    """Videos and sounds of two people, and again with an event: a's face goes and is loud, b shakes and is silent."""
    root = tmp_path_factory.mktemp("causal")
    k, n = int(np.ceil(EVENT_S * 25)), round(EVENT_S * 16_000)
    for seed, name in enumerate("ab"):
        actor = Actor(seed, ROOT / "data/landmarker/face_landmarker.task", 240, 180)
        pictures = [actor.render(Pose(), i) for i in range(FRAMES)]
        changed = [np.zeros_like(p) if name == "a" else np.roll(p, 9 * (i % 2), 0) for i, p in enumerate(pictures)]
        film(root / f"{name}.mkv", pictures)
        film(root / f"{name}-event.mkv", pictures[:k] + changed[k:])
        sound = 0.1 * np.random.default_rng(seed).normal(size=round(SECONDS * 16_000))
        make_wav(root / f"{name}.wav", sound)
        make_wav(root / f"{name}-event.wav", np.concatenate([sound[:n], sound[n:] * (4 if name == "a" else 0)]))
    return root


def people(root: Path) -> Manifest:
    """Four sessions of a and b: for training, as recorded, with the event in a's media, with the event in b's."""
    manifest = []
    for session, event in (("train", ""), ("before", ""), ("a", "a"), ("b", "b")):
        for name in "ab":
            stem = root / (f"{name}-event" if event == name else name)
            hashes = [sha256(Path(f"{stem}{suffix}")) for suffix in (".mkv", ".wav")]
            manifest.append(
                Participant(
                    "c", session, name, name, "train" if session == "train" else "test", "en", name,
                    f"{stem}.mkv", f"{stem}.wav", "labels.csv", *hashes, SECONDS, 25.0, FRAMES,
                )
            )  # fmt: skip
    return Manifest(tuple(manifest))


@pytest.fixture(scope="module")
def features(recordings) -> Path:
    """Face tracks and all cues of the four files, and of each session by links."""
    params, manifest, out = causal_params(), people(recordings), recordings / "features"
    distinct = {p.video: p for p in manifest.participants}
    tracks = FaceTracker, params.faces, None
    jobs = {"faces": tracks} | {
        name: (
            plugins.find(EXTRACTORS, cue.extractor, Extractor),
            plugins.settings_of(EXTRACTORS, cue.extractor).model_validate(cue.settings()),
            out / "faces" if cue.reads == "faces" else None,
        )
        for name, cue in params.cues.items()
    }
    for name, (extractor, settings, faces) in jobs.items():
        extract_all(extractor, settings, list(distinct.values()), out / name, serially, faces)
        for participant in manifest.participants:
            shard, made = (p.shard(out / name) for p in (participant, distinct[participant.video]))
            shard.parent.mkdir(parents=True, exist_ok=True)
            if shard != made:
                shard.hardlink_to(made)
    value = np.linspace(0.2, 0.8, round(SECONDS * 25)).astype(np.float32)
    for participant in manifest.participants:
        write_labels(participant.shard(recordings / "labels"), Labels(value, np.ones(len(value), bool)))
    return out


def changes(before: FeatureStream, after: FeatureStream) -> np.ndarray:
    """Times of the rows that differ, in value or mask or by being there at all, s."""
    rows = [
        {t: (bool(v), x.tobytes() if v else b"") for t, v, x in zip(s.t_s, s.valid, s.x, strict=True)}
        for s in (before, after)
    ]
    return np.array(sorted(t for t in rows[0].keys() | rows[1].keys() if rows[0].get(t) != rows[1].get(t)))


def test_the_event_is_in_the_media_and_not_before_it(recordings):
    for name in "ab":
        one, other = (read_waveform(recordings / f"{name}{kind}.wav").samples for kind in ("", "-event"))
        assert np.flatnonzero(one != other)[0] >= EVENT_S * 16_000
        one, other = (list(read_frames(recordings / f"{name}{kind}.mkv")) for kind in ("", "-event"))
        differ = [a.t_s for a, b in zip(one, other, strict=True) if not np.array_equal(a.image, b.image)]
        assert EVENT_S <= differ[0] < EVENT_S + 0.08


@pytest.mark.parametrize("cue", ["faces", "wav2vec2", "emotion", "clip", "flow", "landmark_flow"])
@pytest.mark.parametrize("session", ["a", "b"])
def test_no_row_of_a_cue_depends_on_media_beyond_its_lookahead(features, cue, session):
    before, after = (read_stream(features / cue / "c" / s / f"{session}.parquet", "") for s in ("before", session))
    assert before.lookahead_s is not None
    changed = changes(before, after)
    assert len(changed)  # what follows can fail
    assert changed[0] + before.lookahead_s > EVENT_S


def aligned_with(params: Params, features: Path) -> Aligned:
    """Shards of all sessions, made once for each kind of grid."""
    out = features.parent / f"aligned-{params.align.causal}"
    if not out.exists():
        manifest = people(features.parent)
        align_all(params.cues, params.align, "as given", manifest, features, features.parent, out, serially)
    return Aligned.read(out)


def scores(features: Path, params: Params, window: WindowParams, name="da_mamba", **changes) -> dict[str, np.ndarray]:
    """Session -> score of a at every label, by a causal model with random weights."""
    aligned = aligned_with(params, features)
    small = {"d_model": 8, "headdim": 4, "d_state": 4, "d_fusion": 16, "causal": True}
    settings = params.architectures[name]
    settings = settings | {key: value for key, value in small.items() if key in settings} | changes
    statistics = {cue: tuple(map(torch.from_numpy, both)) for cue, both in aligned.statistics().items()}
    torch.manual_seed(0)
    model_params = ModelParams(architecture=name, cues=None, settings=settings, weights={})
    model = build_model(aligned.groups(), model_params, window.rate_hz, statistics).eval()
    reader = WindowReader(aligned, WindowGrid.of(window))
    return {s.session: predict(model, reader, s, 0) for s in aligned.split("test")}


WINDOWS = {
    rate_hz: WindowParams(rate_hz=rate_hz, core_frames=rate_hz, context_frames=rate_hz) for rate_hz in (5, 25, 100)
}


@pytest.mark.parametrize("rate_hz", WINDOWS)
@pytest.mark.parametrize("session", ["a", "b"])
def test_no_score_before_an_event_in_the_media_of_target_or_partner_changes(features, session, rate_hz):
    params = causal_params()
    by_session = scores(features, params, WINDOWS[rate_hz])
    aligned = aligned_with(params, features)
    delay = delay_of(aligned, aligned.cues, rate_hz)
    assert delay["score_s"] == (0.24 if rate_hz == 5 else 0)
    assert delay["total_s"] == pytest.approx(0.47 + 0.03 + delay["score_s"])
    labels_s = np.arange(len(by_session["before"])) / 25
    same = by_session["before"] == by_session[session]
    assert same[labels_s + delay["score_s"] < EVENT_S].all()
    late = labels_s > EVENT_S + 0.1
    assert not same[late].any()


@pytest.mark.parametrize(
    ("name", "changes"), [("da_mamba", {"block": "transformer"}), ("da_mamba", {"grouping": "joint"}), ("lstm", {})]
)
def test_scores_of_other_causal_models_do_not_change_either(features, name, changes):
    by_session = scores(features, causal_params(), WINDOWS[25], name, **changes)
    same = by_session["before"] == by_session["a"]
    assert same[np.arange(len(same)) / 25 < EVENT_S].all()
    assert not same[-5:].any()


@pytest.mark.parametrize("part", ["grid", "model"])
def test_scores_before_the_event_change_where_the_grid_or_the_model_is_not_causal(features, part):
    """The check above can fail."""
    params = causal_params()
    if part == "grid":
        params = params.model_copy(update={"align": params.align.model_copy(update={"causal": False})})
    by_session = scores(features, params, WINDOWS[100], **({"causal": False} if part == "model" else {}))
    labels_s = np.arange(len(by_session["before"])) / 25
    early = labels_s < EVENT_S
    assert (by_session["before"] != by_session["b"])[early].any()


def test_a_causal_model_states_its_delay(features, tmp_path, monkeypatch, capsys):
    params = causal_params()
    aligned = aligned_with(params, features)
    values = params.model_dump(mode="json")
    values["train"] |= {"steps": 1, "batch_windows": 2, "warmup_steps": 0}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["train.py", "da_mamba-0", "--aligned", str(aligned.root)])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "stages/train.py"), run_name="__main__")
    assert ended.value.code == 0
    assert "causal, 0.50 s behind its media" in capsys.readouterr().out
    delay = json.loads((tmp_path / "data/models/da_mamba-0/model.json").read_text())["delay"]
    assert delay["score_s"] == 0
    assert delay["cues_s"] == {"wav2vec2": 0.5, "emotion": 0.5, "clip": 0.03, "flow": 0.03, "landmark_flow": 0.03}
    assert delay["total_s"] == 0.5
