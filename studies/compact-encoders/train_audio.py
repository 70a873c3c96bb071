"""Train compact-wav2vec2 and compact-emotion: small speech encoders, from simulated conversations.

    python studies/compact-encoders/train_audio.py wav2vec2         (about 10 min on a core)
    python studies/compact-encoders/train_audio.py emotion

Objective: least squares on phonemes and prosody, by a linear layer on the last hidden states (wav2vec2: every 20 ms) or
by the regression head on their mean (emotion: windows of a second). There is no self-supervised term.
"""

import argparse
import logging
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from probe import held_out_correlation, write_figures
from torch import Tensor, nn
from voices import CLOCK, DELIVERY, FRAME, Dyad, converse_aloud, load

from damamba.console import progress
from damamba.encoders.torchvision_import import declare_operators
from damamba.executor import run_all

declare_operators()
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model  # noqa: E402 (needs the line before)

from damamba.encoders.emotion_model import EmotionModel  # noqa: E402

CHECKPOINTS = Path("damamba/extractors/checkpoints")
DATA = Path("data/compact-encoders/voices")
N_TEST = 20
BATCH, CROP_FRAMES, LEARNING_RATE = 8, 250, 2e-3
WINDOW_FRAMES = 50
LOUDER = 10.0
"""Factor on the initial weights of the first convolution: speech at -28 dB is weak beside its biases."""
CONFIG = {
    "conv_dim": (32, 32, 48, 48, 64, 64, 64),
    "conv_kernel": (10, 3, 3, 3, 3, 2, 2),
    "conv_stride": (5, 2, 2, 2, 2, 2, 2),
    "conv_bias": True,  # normalising layers remove loudness; a bias before them keeps it
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "num_conv_pos_embeddings": 32,
    "num_conv_pos_embedding_groups": 4,
    "vocab_size": 32,
    "apply_spec_augment": False,
    "hidden_dropout": 0.0,
    "attention_dropout": 0.0,
    "activation_dropout": 0.0,
    "feat_proj_dropout": 0.0,
    "final_dropout": 0.0,
    "layerdrop": 0.0,
}
logger = logging.getLogger(__name__)


class Scale(NamedTuple):
    """Mean and spread of each target over the training set."""

    mean: Tensor
    spread: Tensor

    @classmethod
    def of(cls, truths: np.ndarray) -> "Scale":
        """Over all axes except the last, without NaN."""
        flat = truths.reshape(-1, truths.shape[-1])
        return cls(torch.from_numpy(np.nanmean(flat, 0)), torch.from_numpy(np.nanstd(flat, 0)))

    def apply(self, truths: Tensor) -> Tensor:
        """To zero mean and unit spread."""
        return (truths - self.mean) / self.spread


def by_window(truths: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """(M, W, K): means over windows of `WINDOW_FRAMES` from `starts` (W,); NaN where there is too little speech."""
    windows = np.stack([truths[:, start : start + WINDOW_FRAMES] for start in starts], axis=1)
    known = np.isfinite(windows)
    mean = np.where(known, windows, 0).sum(2) / np.maximum(known.sum(2), 1)
    return np.where(known.mean(2) > 0.2, mean, np.nan).astype(np.float32)


def masked_loss(predicted: Tensor, wanted: Tensor) -> Tensor:
    """Smooth L1 where `wanted` is not NaN; all targets have the same weight."""
    known = ~wanted.isnan()
    error = nn.functional.smooth_l1_loss(predicted, wanted.nan_to_num(), reduction="none") * known
    dims = tuple(range(wanted.ndim - 1))
    return (error.sum(dims) / known.sum(dims).clamp(min=1)).mean()


def random_crops(sounds: np.ndarray, truths: np.ndarray, rng: np.random.Generator) -> tuple[Tensor, np.ndarray]:
    """A batch: sound (B, samples), truth (B, frames, K); lengths differ from step to step."""
    frames = int(CROP_FRAMES * (0.5 + rng.random()))
    rows = rng.integers(len(sounds), size=BATCH * CROP_FRAMES // frames)
    starts = rng.integers(truths.shape[1] - frames, size=len(rows))
    samples = frames * CLOCK.stride + CLOCK.receptive - CLOCK.stride
    sound = np.stack([sounds[row, start * CLOCK.stride :][:samples] for row, start in zip(rows, starts, strict=True)])
    return torch.from_numpy(sound), np.stack([truths[r, s : s + frames] for r, s in zip(rows, starts, strict=True)])


def fit(
    model: nn.Module,
    loss_of: Callable[[Tensor, np.ndarray], Tensor],
    parameters: list[nn.Parameter],
    steps: int,
    data: tuple[np.ndarray, np.ndarray],
) -> None:
    """AdamW over random crops; `loss_of(sound, truth)` is minimised."""
    optimiser = torch.optim.AdamW(parameters, LEARNING_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps, pct_start=0.15)
    rng = np.random.default_rng(0)
    mean_loss = None
    model.train()
    for step in progress(range(steps), "train"):
        loss = loss_of(*random_crops(*data, rng))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        mean_loss = loss.item() if mean_loss is None else 0.98 * mean_loss + 0.02 * loss.item()
        if step % 100 == 99:
            logger.info("step %d of %d: loss %.4f", step + 1, steps, mean_loss)
    model.eval()


def save(model: nn.Module, folder: Path) -> None:
    """Write a folder that `from_pretrained` can read."""
    model.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    Wav2Vec2FeatureExtractor(do_normalize=False, return_attention_mask=False).save_pretrained(folder)


@torch.inference_mode()
def states_of(encoder: Wav2Vec2Model, sounds: np.ndarray) -> np.ndarray:
    """(M, frames, hidden) last hidden states."""
    return torch.cat([encoder(torch.from_numpy(s)[None]).last_hidden_state for s in sounds]).numpy()


def train_wav2vec2(sounds: np.ndarray, truths: np.ndarray, test: np.ndarray, steps: int) -> None:
    """Train on frames: speech, pitch, mouth and prosody."""
    model = Wav2Vec2Model(Wav2Vec2Config(**CONFIG))
    model.feature_extractor.conv_layers[0].conv.weight.data *= LOUDER
    readout = nn.Linear(CONFIG["hidden_size"], truths.shape[-1])
    scale = Scale.of(truths[~test])

    def loss_of(sound: Tensor, truth: np.ndarray) -> Tensor:
        return masked_loss(readout(model(sound).last_hidden_state), scale.apply(torch.from_numpy(truth)))

    fit(model, loss_of, [*model.parameters(), *readout.parameters()], steps, (sounds[~test], truths[~test]))
    folder = CHECKPOINTS / "compact-wav2vec2"
    save(model, folder)
    train_x, test_x = (
        states_of(model, sounds[part])[:, ::2].reshape(-1, CONFIG["hidden_size"]) for part in (~test, test)
    )
    train_y, test_y = (truths[part][:, ::2].reshape(-1, truths.shape[-1]) for part in (~test, test))
    correlations = held_out_correlation(train_x, train_y, test_x, test_y, (*FRAME, *DELIVERY))
    write_figures(folder, "Linear probe, every 40 ms, speakers that were not trained on:", correlations)


def train_emotion(sounds: np.ndarray, truths: np.ndarray, test: np.ndarray, steps: int) -> None:
    """Train on windows of a second: prosody."""
    names = (*DELIVERY, "pitch_st", "loudness_db", "speech")
    columns = [(*FRAME, *DELIVERY).index(name) for name in names]
    truths = truths[..., columns]
    labels = dict(enumerate(names))
    model = EmotionModel(Wav2Vec2Config(**CONFIG, id2label=labels, label2id={v: k for k, v in labels.items()}))
    model.wav2vec2.feature_extractor.conv_layers[0].conv.weight.data *= LOUDER
    scale = Scale.of(truths[~test])

    def loss_of(sound: Tensor, truth: np.ndarray) -> Tensor:
        states = model.wav2vec2(sound).last_hidden_state
        starts = np.arange(0, states.shape[1] - WINDOW_FRAMES, WINDOW_FRAMES // 2)
        tokens = torch.stack([states[:, s : s + WINDOW_FRAMES].mean(1) for s in starts], 1)
        return masked_loss(model.classifier(tokens), scale.apply(torch.from_numpy(by_window(truth, starts))))

    fit(model, loss_of, list(model.parameters()), steps, (sounds[~test], truths[~test]))
    with torch.no_grad():  # the head's outputs get the units of their names
        out = model.classifier.out_proj
        out.weight *= scale.spread[:, None]
        out.bias.copy_(out.bias * scale.spread + scale.mean)
    folder = CHECKPOINTS / "compact-emotion"
    save(model, folder)
    starts = np.arange(0, truths.shape[1] - WINDOW_FRAMES, WINDOW_FRAMES // 2)
    sets = []
    for part in (~test, test):
        states = states_of(model.wav2vec2, sounds[part])
        tokens = np.stack([states[:, s : s + WINDOW_FRAMES].mean(1) for s in starts], 1)
        sets += [tokens.reshape(-1, tokens.shape[-1]), by_window(truths[part], starts).reshape(-1, len(names))]
    write_figures(
        folder, "Linear probe, windows of 1 s, speakers that were not trained on:", held_out_correlation(*sets, names)
    )


def main(what: str, conversations: int, steps: int, jobs: int) -> None:
    """Simulate, train, save, measure."""
    DATA.mkdir(parents=True, exist_ok=True)
    numbers = range(conversations)
    run_all(converse_aloud, [Dyad(n, DATA) for n in numbers], jobs, "processes", "simulate")
    sounds, truths = load(DATA, numbers)
    test = np.repeat(np.arange(conversations) >= conversations - N_TEST, 3)
    logger.info("%.1f min of sound, %d of %d conversations held out", sounds.size / 16_000 / 60, N_TEST, conversations)
    torch.manual_seed(0)
    {"wav2vec2": train_wav2vec2, "emotion": train_emotion}[what](sounds, truths, test, steps)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("wav2vec2", "emotion"))
    parser.add_argument("--conversations", type=int, default=150, help="of 20 s, three microphones each")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=0, help="processes that simulate; 0 = one a core")
    options = parser.parse_args()
    main(options.what, options.conversations, options.steps, options.jobs)
