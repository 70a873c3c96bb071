import json
import logging
import shutil

import pytest

from damamba.console import InputError
from damamba.encoders.checkpoint import local_folder
from damamba.extractors.clip import Clip, ClipParams
from damamba.extractors.emotion import Emotion, EmotionParams
from damamba.extractors.wav2vec2 import Wav2Vec2, Wav2Vec2Params
from tests.conftest import frozen_params


def wav2vec2(checkpoint: str, revision: str | None = None) -> Wav2Vec2:
    return Wav2Vec2(Wav2Vec2Params(checkpoint=checkpoint, revision=revision, layer=-1))


def clip(checkpoint: str, pretrained: str | None = None, revision: str | None = None) -> Clip:
    return Clip(ClipParams(checkpoint=checkpoint, pretrained=pretrained, revision=revision, crop=1.4, batch_frames=4))


@pytest.fixture
def offline(monkeypatch):
    """As with HF_HUB_OFFLINE=1: no request goes to the network."""
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


def message(extractor) -> str:
    with pytest.raises(InputError) as error:
        extractor.load()
    return str(error.value)


def test_the_message_about_a_missing_folder_names_it_and_the_remedy():
    for extractor in (wav2vec2("models/of/mine"), clip("./clip")):
        text = message(extractor)
        assert "no such checkpoint folder" in text
        assert "damamba preset compact" in text
        assert "\n" not in text


@pytest.mark.usefixtures("offline")
def test_the_message_about_a_hub_checkpoint_that_cannot_be_loaded_is_one_line_with_the_command():
    for extractor, command in (
        (wav2vec2("facebook/wav2vec2-base", "0b5b8e8"), "hf download facebook/wav2vec2-base --revision 0b5b8e8"),
        (clip("hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K"), "hf download laion/CLIP-ViT-B-32-laion2B-s34B-b79K"),
        (clip("ViT-B-32", "laion2b_s34b_b79k"), "where there is a network"),
    ):
        text = message(extractor)
        assert command in text
        assert "damamba preset compact" in text
        assert "\n" not in text


REVISION = "0123456789012345678901234567890123456789"


@pytest.fixture
def hub_cache(tmp_path, monkeypatch):
    """An empty cache of the hub, and a network that is counted and never there."""
    import huggingface_hub
    import huggingface_hub.constants

    calls = []

    def no_network(*_arguments, **_options):
        calls.append("model_info")
        raise RuntimeError("Name or service not known")  # the library's own class is no OSError either

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", no_network)

    def put(repository, folder, revision):
        there = tmp_path / "hub" / f"models--{repository.replace('/', '--')}" / "snapshots" / revision
        shutil.copytree(folder, there)
        return there

    put.calls = calls
    return put


def test_a_hub_checkpoint_in_the_cache_is_read_without_a_network(hub_cache, speech_checkpoint, clip_checkpoint):
    hub_cache("somebody/speech", speech_checkpoint, REVISION)
    hub_cache("somebody/clip", clip_checkpoint, REVISION)
    wav2vec2("somebody/speech", REVISION).load()
    clip("hf-hub:somebody/clip", revision=REVISION).load()
    assert not hub_cache.calls


def test_another_revision_in_the_cache_does_not_do(hub_cache, speech_checkpoint):
    hub_cache("somebody/speech", speech_checkpoint, "9" * 40)
    text = message(wav2vec2("somebody/speech", REVISION))
    assert "cannot be reached: Name or service not known" in text
    assert f"hf download somebody/speech --revision {REVISION}" in text
    assert hub_cache.calls == ["model_info"]  # once: no minute of retries


@pytest.mark.parametrize("lacking", ["model.safetensors", "preprocessor_config.json"])
def test_a_half_finished_download_does_not_do(hub_cache, speech_checkpoint, lacking):
    (hub_cache("somebody/speech", speech_checkpoint, REVISION) / lacking).unlink()
    text = message(wav2vec2("somebody/speech", REVISION))
    assert hub_cache.calls == ["model_info"]
    assert "hf download somebody/speech" in text


def test_a_clip_without_weights_is_refused_rather_than_random():
    assert "`pretrained` is null" in message(clip("ViT-B-32"))
    assert "not found" in message(clip("ViT-B-33", "openai"))


def test_a_damaged_or_partial_folder_is_refused(speech_checkpoint, clip_checkpoint, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(speech_checkpoint, broken)
    (broken / "model.safetensors").write_bytes(b"\0" * 40)
    assert "cannot be loaded" in message(wav2vec2(str(broken)))
    (broken / "model.safetensors").unlink()
    assert "cannot be loaded" in message(wav2vec2(str(broken)))
    other = tmp_path / "clip"
    shutil.copytree(clip_checkpoint, other)
    (other / "open_clip_model.safetensors").unlink()
    assert "cannot be loaded" in message(clip(str(other)))


def test_weights_of_another_kind_of_model_are_refused_rather_than_random(speech_checkpoint):
    emotion = Emotion(EmotionParams(checkpoint=str(speech_checkpoint), revision=None, window_s=1, hop_s=0.1))
    assert "lacks" in message(emotion)


def test_the_compact_encoders_load_and_their_licences_are_logged(caplog):
    cues = frozen_params().cues
    with caplog.at_level(logging.INFO, logger="damamba"):
        for kind, name in ((Wav2Vec2, "wav2vec2"), (Emotion, "emotion"), (Clip, "clip")):
            extractor = kind(kind.Params.model_validate(cues[name].settings()))
            assert any(path.suffix == ".safetensors" for path in extractor.weights())
            assert not any(path.suffix == ".md" for path in extractor.weights())  # an edited card changes no row
            extractor.load()
    assert sum("licence Apache-2.0" in record.message for record in caplog.records) == 3


def test_encoders_that_come_with_the_package_are_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = local_folder("damamba/extractors/checkpoints/compact-clip")
    assert folder is not None
    config = json.loads((folder / "open_clip_config.json").read_text())
    assert config["model_cfg"]["embed_dim"] == 64


def test_the_compact_encoders_are_small_enough_for_git():
    for name in ("compact-wav2vec2", "compact-emotion", "compact-clip"):
        folder = local_folder(f"damamba/extractors/checkpoints/{name}")
        assert folder is not None
        assert sum(path.stat().st_size for path in folder.iterdir()) < 3 * 2**20
