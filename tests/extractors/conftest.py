"""Tiny random checkpoints that load like published ones, and faces that move in a known way."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from damamba.corpus.manifest import Participant
from damamba.encoders.torchvision_import import declare_operators
from damamba.features.extractor import ExtractorInput
from damamba.streams.face_track import CHANNELS, N_LANDMARKS, SHAPES
from damamba.streams.store import write_stream
from damamba.streams.stream import FeatureStream
from damamba_sim.faces.render import write_video
from tests.conftest import make_wav

SIZE_PX = 100.0
"""Forehead to chin of the faces made here."""
SPEECH_CONFIG = {
    "conv_dim": (8, 8, 8, 8, 8, 8, 8),
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
    "vocab_size": 8,
}


@pytest.fixture(scope="session")
def speech_checkpoint(tmp_path_factory) -> Path:
    """A random wav2vec 2.0 that expects normalised waveforms, like the published ones."""
    declare_operators()
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    folder = tmp_path_factory.mktemp("wav2vec2")
    torch.manual_seed(1)
    config = Wav2Vec2Config(**SPEECH_CONFIG, feat_extract_norm="layer", do_stable_layer_norm=True, conv_bias=True)
    Wav2Vec2Model(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def emotion_checkpoint(tmp_path_factory) -> Path:
    """A random emotion model with audEERING's names of weights, saved by older libraries."""
    declare_operators()
    import torch
    from safetensors.torch import save_file
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor

    from damamba.encoders.emotion_model import EmotionModel

    folder = tmp_path_factory.mktemp("emotion")
    torch.manual_seed(2)
    labels = {0: "arousal", 1: "dominance", 2: "valence"}
    config = Wav2Vec2Config(**SPEECH_CONFIG, id2label=labels, label2id={name: i for i, name in labels.items()})
    model = EmotionModel(config)
    config.save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    old_names = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    weights = {}
    for name, value in model.state_dict().items():
        for new, old in old_names.items():
            name = name.replace(new, old)
        weights[name] = value.clone()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.fixture(scope="session")
def clip_checkpoint(tmp_path_factory) -> Path:
    """A random CLIP with a vision transformer, in the form of a folder from the hub."""
    declare_operators()
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("clip")
    torch.manual_seed(3)
    model = {
        "embed_dim": 12,
        "vision_cfg": {"layers": 1, "width": 16, "head_width": 8, "patch_size": 8, "image_size": 32},
        "text_cfg": {"context_length": 4, "vocab_size": 16, "width": 8, "heads": 2, "layers": 1},
    }
    look = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.2]}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": model, "preprocess_cfg": look}))
    save_file(open_clip.model.CLIP(**model).state_dict(), folder / "open_clip_model.safetensors")
    return folder


@pytest.fixture
def spoken(tmp_path) -> Callable[[np.ndarray], ExtractorInput]:
    """Makes the input of a recording with these samples as sound."""

    def make(samples: np.ndarray) -> ExtractorInput:
        return ExtractorInput(participant(tmp_path / "none.mp4", make_wav(tmp_path / "a.wav", samples)))

    return make


def participant(video: Path, audio: Path) -> Participant:
    """A participant with 25 frames per second."""
    return Participant(
        "c", "001", "p", "p", "train", "en", "x", str(video), str(audio), "", duration_s=60.0, rate_hz=25.0
    )


@dataclass(frozen=True)
class Film:
    """A face whose position in every frame is known."""

    images: np.ndarray
    """(N, height, width, 3) uint8."""
    landmarks_px: np.ndarray
    """(N, 478, 2)."""


def face_landmarks(centre_px: np.ndarray, size_px: float = SIZE_PX, roll_rad: float = 0.0) -> np.ndarray:
    """(478, 2) points of a schematic face: those that the geometry reads; the others are spread over it."""
    rng = np.random.default_rng(0)
    face = rng.uniform(-0.4, 0.4, (N_LANDMARKS, 2))
    at = {10: (0, -0.5), 152: (0, 0.5), 33: (-0.25, -0.1), 133: (-0.1, -0.1), 362: (0.1, -0.1), 263: (0.25, -0.1)}
    for landmark, place in at.items():
        face[landmark] = place
    cosine, sine = np.cos(roll_rad), np.sin(roll_rad)
    return centre_px + size_px * face @ np.array([[cosine, sine], [-sine, cosine]])


def filmed(transforms: list[np.ndarray], width: int = 240, height: int = 200) -> Film:
    """A textured face, moved in the picture by each of (2, 3) affine `transforms`."""
    rng = np.random.default_rng(4)
    texture = cv2.resize(
        rng.uniform(0, 255, (50, 60, 3)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
    )
    texture = np.clip(texture, 0, 255).astype(np.uint8)
    rest = face_landmarks(np.array([width / 2, height / 2]))
    images = [cv2.warpAffine(texture, m, (width, height), borderMode=cv2.BORDER_REFLECT) for m in transforms]
    return Film(np.stack(images), np.stack([rest @ m[:, :2].T + m[:, 2] for m in transforms]))


def shift(dx_px: float, dy_px: float = 0.0) -> np.ndarray:
    """(2, 3) translation."""
    return np.array([[1, 0, dx_px], [0, 1, dy_px]], float)


def similarity(scale: float, turn_rad: float, centre_px=(120.0, 100.0)) -> np.ndarray:
    """(2, 3) growth and turn (clockwise in the picture) about a point."""
    linear = scale * np.array([[np.cos(turn_rad), -np.sin(turn_rad)], [np.sin(turn_rad), np.cos(turn_rad)]])
    return np.column_stack([linear, np.array(centre_px) - linear @ np.array(centre_px)])


@pytest.fixture
def recorded(tmp_path) -> Callable[..., ExtractorInput]:
    """Makes the input of a film: its video, and the face track that a tracker would write."""

    def make(
        film: Film, t_s: np.ndarray, valid: np.ndarray | None = None, shapes: np.ndarray | None = None
    ) -> ExtractorInput:
        n = len(film.images)
        valid = np.ones(n, bool) if valid is None else valid
        video = tmp_path / "v.mp4"
        write_video(video, iter(film.images), t_s.tolist(), fps=25, crf=4)
        box = np.hstack([film.landmarks_px.min(1), film.landmarks_px.max(1)])
        head = np.tile(np.eye(4).ravel(), (n, 1))
        shapes = np.zeros((n, len(SHAPES))) if shapes is None else shapes
        x = np.hstack([box, head, shapes, film.landmarks_px.reshape(n, -1)]).astype(np.float32)
        x[~valid] = np.nan
        score = np.where(valid, 0.9, 0).astype(np.float32)
        shard = tmp_path / "face.parquet"
        write_stream(shard, FeatureStream(np.round(t_s * 90_000) / 90_000, x, valid, score, 25.0, CHANNELS, "test"))
        return ExtractorInput(participant(video, video), shard)

    return make
