"""Checks before any work that sessions with media can be made."""

from collections.abc import Iterable
from pathlib import Path

from damamba.config import SimulateParams
from damamba.console import InputError
from damamba.streams.face_mesh import read_canonical
from damamba_sim.faces.actor import check_size
from damamba_sim.voices.speech import check_voices

FPS = (1, 120)


def check_equipment(params: SimulateParams, face_model: Path, languages: Iterable[str]) -> None:
    """Fail fast where pictures, the face mesh or a voice would be missing.

    Raises:
        InputError: An unusable resolution or frame rate, no face model, or no voices.
    """
    check_size(*params.resolution)
    if not FPS[0] <= params.fps <= FPS[1]:
        raise InputError(
            f"params.yaml: simulate.fps: {params.fps:g} is not a usable frame rate; use {FPS[0]} to {FPS[1]}"
        )
    read_canonical(face_model)
    check_voices(languages)
