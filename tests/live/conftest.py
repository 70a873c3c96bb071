"""A causal model with random weights that fits the beginning of the example dyad, and its offline prediction."""

from pathlib import Path

import av
import pytest
import torch

from damamba.config import CueParams, ExtractParams, ModelParams, parse_section
from damamba.data.causality import delay_of
from damamba.model import build_model
from damamba.predictor.inputs import CueSource, ModelInputs
from damamba.predictor.passes import passes_of
from damamba.predictor.run import _aligned, predict_videos
from damamba.predictor.videos import Conversation
from damamba.presets.apply import read_preset
from tests.conftest import frozen_params

ROOT = Path(__file__).parents[2]
DYAD = [ROOT / f"examples/dyad/{name}.mp4" for name in ("expert", "novice")]
SECONDS = 5
LOOP = ExtractParams(jobs=0, executor="serial")


def causal_inputs(sources=None) -> ModelInputs:
    """Cues of the preset causal."""
    preset, params = read_preset("causal"), frozen_params()
    cues = {name: parse_section(CueParams, cue, name) for name, cue in preset["cues"].items()}
    faces = params.faces.model_copy(update={"model": str(ROOT / params.faces.model)})
    align = params.align.model_copy(update=preset["align"])
    return ModelInputs(cues=cues, sources=sources or {}, faces=faces, align=align)


def save_model(folder: Path, aligned, inputs: ModelInputs, rate_hz: int = 25) -> Path:
    """Random weights, and statistics of some shards, so that every cue counts."""
    moments = {
        cue: sum(
            (aligned.moments(s, seat.participant, cue) for s in aligned.sessions for seat in s.seats[1:]),
            aligned.moments(aligned.sessions[0], aligned.sessions[0].seats[0].participant, cue),
        )
        for cue in aligned.cues
    }
    statistics = {cue: (torch.from_numpy(one.mean), torch.from_numpy(one.std)) for cue, one in moments.items()}
    settings = frozen_params().architectures["da_mamba"] | {"causal": True}
    torch.manual_seed(3)
    params = ModelParams(architecture="da_mamba", cues=None, settings=settings, weights={})
    model = build_model(aligned.groups(), params, rate_hz, statistics).eval()
    sources = {name: CueSource.model_validate(vars(cue)) for name, cue in aligned.cues.items()}
    model.save(
        folder,
        window={"rate_hz": rate_hz, "core_frames": rate_hz, "context_frames": rate_hz},
        inputs=inputs.model_copy(update={"sources": sources}).model_dump(mode="json"),
        delay=delay_of(aligned, aligned.cues, rate_hz),
        simulated=True,
        variant="da_mamba",
        seed=0,
        versions={},
    )
    return folder


def beginning(video: Path, out: Path) -> Path:
    """The first seconds of a video, packet by packet."""
    with av.open(str(video)) as source, av.open(str(out), "w") as container:
        streams = {one.index: container.add_stream_from_template(one) for one in source.streams}
        for packet in source.demux():
            if packet.dts is not None and packet.dts * packet.time_base < SECONDS:
                packet.stream = streams[packet.stream_index]
                container.mux(packet)
    return out


@pytest.fixture(scope="session")
def videos(tmp_path_factory):
    """The beginning of the example dyad."""
    out = tmp_path_factory.mktemp("dyad")
    return [beginning(video, out / video.name) for video in DYAD]


@pytest.fixture(scope="session")
def predicted(videos, tmp_path_factory):
    """(folder of the model, offline prediction of the videos)."""
    out = tmp_path_factory.mktemp("live")
    conversation = Conversation.of_files(videos)
    inputs = causal_inputs()
    passes = passes_of(inputs.cues, "align")
    aligned = _aligned({conversation.name: conversation}, inputs, out / ".damamba", LOOP, passes)
    model = save_model(out / "model", aligned, causal_inputs())
    return model, predict_videos([conversation], model, out, LOOP)
