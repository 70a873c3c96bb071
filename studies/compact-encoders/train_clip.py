"""Train compact-clip, a small CLIP image tower for expression and pose, on rendered faces in random looks.

    python studies/compact-encoders/train_clip.py            (about MINUTES min on two cores, most of it rendering)

Each number of the embedding is a target of least squares: the channels of the simulator, what the face landmarker reads
in the rendered picture, and principal components of the picture's histograms of gradients (as in Wei et al. 2022,
arXiv:2112.09133), these on textures without faces as well. There is no contrastive term; the text tower is untrained
and exists only because an open_clip checkpoint has one.
"""

import argparse
import json
import logging
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from faces import FIRST_SEED, MARGIN_PX, SIDE_PX, TARGETS, TEACHER, Shoot, load, shoot
from probe import held_out_correlation, write_figures
from randomise import MIRRORED, Randomiser, histograms_of_gradients, mirror_order
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from damamba.console import progress
from damamba.encoders.torchvision_import import declare_operators
from damamba.executor import run_all

declare_operators()
import open_clip  # noqa: E402 (needs the line before)

OUT = Path("damamba/extractors/checkpoints/compact-clip")
DATA = Path("data/compact-encoders/faces")
COMPONENTS = 64
"""Of the histograms of gradients."""
MODEL = {
    "embed_dim": COMPONENTS + len(TARGETS) + len(TEACHER),
    "vision_cfg": {"layers": [1, 1, 1, 1], "width": 8, "head_width": 32, "image_size": SIDE_PX},
    "text_cfg": {"context_length": 8, "vocab_size": 64, "width": 32, "heads": 2, "layers": 1},
}
LOOK = {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "interpolation": "bilinear", "resize_mode": "squash"}
N_TEST = 6
BATCH, TEXTURES = 64, 8
"""Pictures in a batch, and how many of them show no face."""
LEARNING_RATE, WEIGHT_DECAY = 2e-3, 0.02
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Gradients:
    """Principal components of histograms of gradients, each with deviation 1."""

    mean: np.ndarray
    axes: np.ndarray
    """(900, COMPONENTS)."""
    weights: np.ndarray
    """(COMPONENTS,) of the loss: the components differ a hundredfold in variance, their weights fourfold at most."""

    @classmethod
    def of(cls, rows: np.ndarray) -> "Gradients":
        """Components of (n, 900) rows."""
        variance, axes = np.linalg.eigh(np.cov(rows, rowvar=False))
        variance, axes = variance[::-1][:COMPONENTS], axes[:, ::-1][:, :COMPONENTS]
        return cls(rows.mean(0), axes / np.sqrt(variance), 2 * np.sqrt(variance / variance[0]).clip(0.25, 1))

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """(n, COMPONENTS) of (n, side, side, 3) uint8 pictures."""
        return (histograms_of_gradients(pictures) - self.mean) @ self.axes


class Batches:
    """Random pictures and their targets, standardised; no target of a face where there is none (NaN)."""

    def __init__(self, crops: np.ndarray, targets: np.ndarray, seed: int) -> None:
        self.crops, self.mean, self.spread = crops, targets.mean(0), targets.std(0) + 1e-3
        self._targets = targets
        self._order = mirror_order((*TARGETS, *TEACHER))
        self._sign = np.where(MIRRORED, -1.0, 1.0)
        self._rng = np.random.default_rng(0)
        self._randomiser = Randomiser(1)
        self._left = np.empty(0, int)
        sample = [clear for _ in range(24) for clear in self._pictures()[1]]
        self.gradients = Gradients.of(histograms_of_gradients(np.stack(sample)))
        # the components are the same for each seed, so that a second run can go on with them
        self._rng, self._randomiser = np.random.default_rng([seed, 0]), Randomiser(seed + 2)

    def _pictures(self) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
        seen, clear, wanted = [], [], []
        if len(self._left) < BATCH:
            self._left = self._rng.permutation(len(self.crops))
        chosen, self._left = self._left[:BATCH], self._left[BATCH:]
        for number, k in enumerate(chosen):
            mirror = bool(self._rng.random() < 0.5)
            face = number >= TEXTURES
            crop = self.crops[k] if face else self._randomiser.texture()
            target = self._targets[k][self._order] * self._sign if mirror else self._targets[k]
            wanted.append((target - self.mean) / self.spread if face else np.full_like(self.mean, np.nan))
            for pictures, picture in zip((seen, clear), self._randomiser.picture(crop, mirror), strict=True):
                pictures.append(picture)
        return seen, clear, wanted

    def next(self) -> tuple[Tensor, Tensor]:
        """(BATCH, 3, side, side) in [0, 1], and (BATCH, embed_dim)."""
        seen, clear, wanted = map(np.stack, self._pictures())
        targets = np.hstack([self.gradients(clear), wanted])
        return pixels(seen), torch.from_numpy(targets.astype(np.float32))


def pixels(crops: np.ndarray) -> Tensor:
    """(n, side, side, 3) uint8 to (n, 3, side, side) in [0, 1]."""
    return torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255


def looked_at(images: Tensor) -> Tensor:
    """Normalised with `LOOK`."""
    return (images - LOOK["mean"][0]) / LOOK["std"][0]


def begin_with(model: nn.Module, folder: Path) -> None:
    """Take the image tower of an earlier checkpoint; the last layer only if it has the same width."""
    last = ("visual.attnpool.c_proj.weight", "visual.attnpool.c_proj.bias")
    weights = load_file(folder / "open_clip_model.safetensors")
    weights = {name: value for name, value in weights.items() if name.startswith("visual.")}
    if len(weights[last[1]]) != MODEL["embed_dim"]:
        weights = {name: value for name, value in weights.items() if name not in last}
    found = model.load_state_dict(weights, strict=False)
    assert not found.unexpected_keys
    assert {name for name in found.missing_keys if name.startswith("visual.")} <= set(last)


def train(model: nn.Module, batches: Batches, steps: int) -> None:
    """Fit the image tower."""
    weights = list(model.visual.parameters())
    importance = np.concatenate([batches.gradients.weights, np.ones(len(batches.mean))])
    importance = torch.from_numpy(importance.astype(np.float32))
    optimiser = torch.optim.AdamW(weights, LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps, pct_start=0.15)
    model.train()
    mean_loss = math.nan
    for step in progress(range(steps), "train"):
        images, wanted = batches.next()
        known = wanted.isfinite()
        error = torch.where(known, model.encode_image(looked_at(images)) - wanted, 0.0)
        loss = (nn.functional.smooth_l1_loss(error, torch.zeros_like(error), reduction="none") * importance).sum()
        loss = loss / (known * importance).sum()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        schedule.step()
        mean_loss = loss.item() if math.isnan(mean_loss) else 0.99 * mean_loss + 0.01 * loss.item()
        if step % 100 == 99:
            logger.info("step %d of %d: loss %.4f", step + 1, steps, mean_loss)
    model.eval()


@torch.inference_mode()
def embed(model: nn.Module, crops: np.ndarray) -> np.ndarray:
    """(n, embed_dim) embeddings."""
    parts = [model.encode_image(looked_at(pixels(crops[i : i + 256]))) for i in range(0, len(crops), 256)]
    return torch.cat(parts).numpy()


def save(model: nn.Module, folder: Path) -> None:
    """Write a folder for open_clip's `local-dir:`, in half precision, which does not hurt the embedding."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {"model_cfg": MODEL, "preprocess_cfg": LOOK}
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n")
    weights = {
        name: value.half().contiguous() if value.is_floating_point() else value
        for name, value in model.state_dict().items()
    }
    save_file(weights, folder / "open_clip_model.safetensors")


def main(actors: int, frames: int, steps: int, jobs: int, landmarker: str, start: Path | None, seed: int) -> None:
    """Render, train, measure on actors that were not trained on, save."""
    DATA.mkdir(parents=True, exist_ok=True)
    seeds = range(FIRST_SEED, FIRST_SEED + actors)
    run_all(shoot, [Shoot(seed, frames, landmarker, DATA) for seed in seeds], jobs, "processes", "render")
    crops, targets, actor = load(DATA, seeds)
    test = actor >= seeds[-N_TEST]
    logger.info("%d crops of %d actors, %d of %d held out", len(crops), actors, test.sum(), N_TEST)
    torch.manual_seed(0)
    model = open_clip.model.CLIP(**MODEL).to(memory_format=torch.channels_last)
    if start:
        begin_with(model, start)
    train(model, Batches(crops[~test], targets[~test], seed), steps)
    save(model, OUT)
    inside = crops[:, MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]
    correlations = held_out_correlation(
        embed(model, inside[~test]), targets[~test], embed(model, inside[test]), targets[test], TARGETS
    )
    write_figures(OUT, f"Linear probe, {N_TEST} actors that were not trained on:", correlations)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--actors", type=int, default=40)
    parser.add_argument("--frames", type=int, default=60, help="pictures per actor")
    parser.add_argument("--steps", type=int, default=350)
    parser.add_argument("--jobs", type=int, default=0, help="processes that render; 0 = one a core")
    parser.add_argument("--landmarker", default="data/landmarker/face_landmarker.task")
    parser.add_argument("--start", type=Path, help="folder of an earlier compact-clip, to begin with")
    parser.add_argument("--seed", type=int, default=0, help="of the order and the looks of the pictures")
    options = parser.parse_args()
    main(options.actors, options.frames, options.steps, options.jobs, options.landmarker, options.start, options.seed)
