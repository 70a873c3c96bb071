"""A model of transformers with all of its weights, from a folder or the hub."""

from pathlib import Path
from typing import Any

from damamba.device import choose_device
from damamba.encoders.checkpoint import folder_of

MAY_BE_MISSING = ("masked_spec_embed", "pooler.")
"""Parts of names of weights that pretraining alone uses, or that a task adds."""


def loaded(kind: Any, checkpoint: str, revision: str | None) -> tuple[Any, Path, list[str]]:
    """A model in float32, in evaluation mode, on the accelerator if there is one; its folder; weights that are random.

    Call it within `damamba.encoders.checkpoint.loading`, which turns errors into one line.

    Args:
        kind: A class of transformers with `from_pretrained`.
        checkpoint: Folder, or repository on the hub.
        revision: Commit on the hub.

    Raises:
        OSError, ValueError, RuntimeError: It cannot be loaded, or lacks weights.
    """
    import torch
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # the stage shows its own
    folder = folder_of(checkpoint, revision)
    if folder is None:
        raise ValueError("neither a folder nor a repository on the hub")
    model, report = kind.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    random = sorted(report["missing_keys"])  # transformers continues with random weights there
    missing = [name for name in random if not any(part in name for part in MAY_BE_MISSING)]
    if missing:
        raise ValueError(f"it lacks {len(missing)} weights of a {kind.__name__}, such as {missing[0]}")
    return model.eval().to(choose_device()), folder, random
