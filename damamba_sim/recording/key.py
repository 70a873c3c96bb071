"""The key of a session: a hash of everything on which its bytes depend."""

import hashlib
import json
from dataclasses import asdict
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from damamba.config import SimulateParams
from damamba.files import sha256
from damamba.keys import source_digest
from damamba_sim.corpora.plan import SessionPlan

CHANNEL_WRITERS = ("damamba_sim.recording.channels",)
MEDIA_WRITERS = ("damamba_sim.recording.sound", "damamba_sim.recording.video")


def session_key(plan: SessionPlan, params: SimulateParams, face_model: Path) -> str:
    """Hash of the plan, the parameters that are used, the code that writes the files and, for media, what they need.

    `params.seed` is not in it: all seeds of the session are in the plan.
    """
    used = {"minutes", "features_only"} | (set() if params.features_only else {"resolution", "fps", "flaws"})
    code = writer_digest(params.features_only)
    inputs = {"plan": asdict(plan), "params": params.model_dump(include=used), "code": code}
    if not params.features_only:
        inputs |= {"face_model": sha256(face_model), "synthesiser": _synthesiser_version()}
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


@cache
def writer_digest(features_only: bool) -> str:
    """Hash of the modules that write a session, with or without media, and of all modules that they import."""
    writers = CHANNEL_WRITERS if features_only else MEDIA_WRITERS
    return " ".join(source_digest(module) for module in writers)


def _synthesiser_version() -> str:
    try:
        return version("espeakng-loader")
    except PackageNotFoundError:
        return "not installed"
