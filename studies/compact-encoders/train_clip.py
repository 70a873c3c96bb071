"""Train compact-clip, a small CLIP image tower for expression and pose, on rendered faces.

    python studies/compact-encoders/train_clip.py            (about 12 min on two cores, half of it rendering)

Objective: least squares on the simulator's channels by a linear layer on the embedding. There is no contrastive term;
the text tower is untrained and exists only because an open_clip checkpoint has one.
"""

import argparse
import json
import logging
import math
from pathlib import Path

import numpy as np
import torch
from faces import FIRST_SEED, SIDE_PX, TARGETS, Shoot, load, shoot
from probe import held_out_correlation, write_figures
from safetensors.torch import save_file
from torch import Tensor, nn

from damamba.console import progress
from damamba.encoders.torchvision_import import declare_operators
from damamba.executor import run_all

declare_operators()
import open_clip  # noqa: E402 (needs the line before)

OUT = Path("damamba/extractors/checkpoints/compact-clip")
DATA = Path("data/compact-encoders/faces")
MODEL = {
    "embed_dim": 64,
    "vision_cfg": {"layers": [1, 1, 1, 1], "width": 8, "head_width": 32, "image_size": SIDE_PX},
    "text_cfg": {"context_length": 8, "vocab_size": 64, "width": 32, "heads": 2, "layers": 1},
}
LOOK = {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "interpolation": "bilinear", "resize_mode": "squash"}
MIRRORED = ("gaze_x", "yaw")
N_TEST = 12
BATCH, LEARNING_RATE, WEIGHT_DECAY = 64, 3e-3, 0.02
logger = logging.getLogger(__name__)


def augment(crops: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Mirror, shift by up to 4 px, change light and colour; crops (B, 3, side, side) in [0, 1]."""
    n = len(crops)
    flip = torch.rand(n, generator=generator) < 0.5
    crops = torch.where(flip[:, None, None, None], crops.flip(3), crops)
    sign = torch.ones_like(targets)
    sign[flip] = torch.tensor([-1.0 if name in MIRRORED else 1.0 for name in TARGETS])
    down, right = torch.randint(-4, 5, (2,), generator=generator).tolist()
    crops = crops.roll((down, right), (2, 3))
    gain = 1 + 0.2 * torch.randn(n, 1, 1, 1, generator=generator) + 0.06 * torch.randn(n, 3, 1, 1, generator=generator)
    shift = 0.06 * torch.randn(n, 1, 1, 1, generator=generator)
    return (crops * gain + shift).clamp(0, 1), targets * sign


def pixels(crops: np.ndarray) -> Tensor:
    """(n, side, side, 3) uint8 to (n, 3, side, side) in [0, 1]."""
    return torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255


def looked_at(images: Tensor) -> Tensor:
    """Normalised with `LOOK`."""
    return (images - LOOK["mean"][0]) / LOOK["std"][0]


def train(model: nn.Module, crops: np.ndarray, targets: Tensor, epochs: int) -> None:
    """Fit the image tower and a linear read-out of standardised `targets` (n, K)."""
    readout = nn.Linear(MODEL["embed_dim"], targets.shape[1])
    weights = [*model.visual.parameters(), *readout.parameters()]
    steps = epochs * (len(crops) // BATCH)
    optimiser = torch.optim.AdamW(weights, LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps, pct_start=0.15)
    generator = torch.Generator().manual_seed(0)
    order = torch.empty(0, dtype=torch.long)
    model.train()
    mean_loss = math.nan
    for step in progress(range(steps), "train"):
        if len(order) < BATCH:
            order = torch.randperm(len(crops), generator=generator)
        chosen, order = order[:BATCH], order[BATCH:]
        images, wanted = augment(pixels(crops[chosen.numpy()]), targets[chosen], generator)
        error = readout(model.encode_image(looked_at(images))) - wanted
        loss = nn.functional.smooth_l1_loss(error, torch.zeros_like(error))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        schedule.step()
        mean_loss = loss.item() if math.isnan(mean_loss) else 0.99 * mean_loss + 0.01 * loss.item()
        if step % 200 == 199:
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


def main(actors: int, frames: int, epochs: int, jobs: int, landmarker: str) -> None:
    """Render, train, measure on actors that were not trained on, save."""
    DATA.mkdir(parents=True, exist_ok=True)
    seeds = range(FIRST_SEED, FIRST_SEED + actors)
    run_all(shoot, [Shoot(seed, frames, landmarker, DATA) for seed in seeds], jobs, "processes", "render")
    crops, targets, seed = load(DATA, seeds)
    test = seed >= seeds[-N_TEST]
    logger.info("%d crops of %d actors, %d of %d held out", len(crops), actors, test.sum(), N_TEST)
    torch.manual_seed(0)
    model = open_clip.model.CLIP(**MODEL).to(memory_format=torch.channels_last)
    mean, spread = targets[~test].mean(0), targets[~test].std(0)
    train(model, crops[~test], torch.from_numpy((targets[~test] - mean) / spread), epochs)
    save(model, OUT)
    correlations = held_out_correlation(
        embed(model, crops[~test]), targets[~test], embed(model, crops[test]), targets[test], TARGETS
    )
    write_figures(OUT, f"Linear probe, {N_TEST} actors that were not trained on:", correlations)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--actors", type=int, default=120)
    parser.add_argument("--frames", type=int, default=100, help="pictures per actor")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=0, help="processes that render; 0 = one a core")
    parser.add_argument("--landmarker", default="data/landmarker/face_landmarker.task")
    options = parser.parse_args()
    main(options.actors, options.frames, options.epochs, options.jobs, options.landmarker)
