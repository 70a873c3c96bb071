"""Licences of checkpoints."""

from pathlib import Path

LICENCES = {
    "facebook/wav2vec2-base": "Apache-2.0",
    "audeering/wav2vec2-large-robust-12-ft-emotion-msp-dim": "CC BY-NC-SA 4.0: no commercial use",
    "facebook/w2v-bert-2.0": "MIT",
    "openai/whisper-base": "Apache-2.0",
    "facebook/dinov2-base": "Apache-2.0",
    "MCG-NJU/videomae-base": "CC BY-NC 4.0: no commercial use",
    "laion/CLIP-ViT-B-32-laion2B-s34B-b79K": "MIT",
    "data/compact-whisper": "MIT",
}
"""Of those in our presets that are not in the repository; ``damamba/extractors/checkpoints/README.md`` has all."""
UNKNOWN = "unknown to damamba: see its card"


def licence_of(checkpoint: str, folder: Path | None) -> str:
    """Licence of a checkpoint; `UNKNOWN` where neither its card nor `LICENCES` names one.

    Args:
        checkpoint: Name on the hub, with or without ``hf-hub:``.
        folder: Local folder of the checkpoint, whose card counts first.
    """
    on_card = licence_on_card(folder) if folder else None
    return on_card or LICENCES.get(checkpoint.removeprefix("hf-hub:"), UNKNOWN)


def licence_on_card(folder: Path) -> str | None:
    """`license:` in the front matter of a folder's README.md; None where it has none."""
    card = folder / "README.md"
    lines = card.read_text(encoding="utf8").splitlines() if card.is_file() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("license:")), None)
