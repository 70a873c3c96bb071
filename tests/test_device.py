"""One device for everything, and as many workers on it as its memory holds; a GPU is stood in for."""

from types import SimpleNamespace

import pytest
import torch

from damamba import device, inference
from damamba.benchmark import steps
from damamba.config import ExtractParams
from damamba.corpus.manifest import Manifest, Participant
from damamba.device import choose_device, jobs_on_device
from damamba.encoders import loaded
from damamba.extractors import clip, emotion, flow, wav2vec2
from damamba.features import extract
from damamba.training import run
from tests.extractors_for_tests import Loudness


@pytest.fixture
def gpu(monkeypatch):
    """Call it with the memory of a GPU, GiB: the machine seems to have one."""

    def stand_in(gib: float) -> None:
        monkeypatch.setattr(device, "choose_device", lambda: torch.device("cuda"))
        monkeypatch.setattr(
            torch.cuda, "get_device_properties", lambda _: SimpleNamespace(total_memory=int(gib * 2**30))
        )

    return stand_in


@pytest.mark.parametrize(
    ("gib", "jobs", "expected"), [(2, 8, 1), (8, 8, 2), (24, 8, 6), (24, 4, 4), (80, 64, 20), (80, 0, 16), (8, 1, 1)]
)
def test_workers_with_a_model_fit_into_the_memory_of_the_device(monkeypatch, gpu, gib, jobs, expected):
    monkeypatch.setattr(device.os, "cpu_count", lambda: 16)
    gpu(gib)
    assert jobs_on_device(jobs) == expected


def test_on_a_cpu_there_is_a_worker_for_every_core():
    if choose_device().type == "cpu":
        assert [jobs_on_device(jobs) for jobs in (0, 1, 64)] == [0, 1, 64]


@pytest.mark.parametrize(("uses", "expected"), [(True, 2), (False, 8)])
def test_extraction_asks_for_so_many_workers(monkeypatch, tmp_path, gpu, uses, expected):
    gpu(8)
    monkeypatch.chdir(tmp_path)
    person = Participant("own", "s", "p", "p", "train", "en", "p", "", "p.wav", "", duration_s=1.0)
    (tmp_path / "data/corpus").mkdir(parents=True)
    Manifest((person,)).write(tmp_path / "data/corpus/manifest.jsonl")
    asked = []
    monkeypatch.setattr(extract, "run_all", lambda function, tasks, jobs, *_, **__: asked.append(jobs) or [])
    monkeypatch.setattr(Loudness, "uses_device", uses)
    monkeypatch.setattr(extract, "extract_all", lambda kind, params, people, out, run, *_: str(run(len, [])))
    loop = ExtractParams(jobs=8, executor="processes")
    extract.extract_manifest(Loudness, Loudness.Params(), tmp_path / "out", loop, "a")
    assert asked == [expected]


def test_extractors_with_a_network_use_the_device_and_flow_does_not():
    uses = {kind: kind.uses_device for kind in (clip.Clip, emotion.Emotion, wav2vec2.Wav2Vec2, flow.Flow)}
    assert uses == {clip.Clip: True, emotion.Emotion: True, wav2vec2.Wav2Vec2: True, flow.Flow: False}


def test_everyone_asks_the_same_function_for_the_device():
    for module in (run, inference, steps, clip, loaded):
        assert module.choose_device is choose_device, module.__name__
