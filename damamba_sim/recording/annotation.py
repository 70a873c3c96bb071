"""Annotation files of a session, as in the release: engagement of each labelled participant, and the language."""

from pathlib import Path

import numpy as np

from damamba.config import LABEL_RATE_HZ
from damamba.corpus.release import LANGUAGE_NAMES
from damamba.files import replace_file
from damamba_sim.behaviour.annotators import annotate, write_labels
from damamba_sim.corpora.plan import SessionPlan


def labels_of(plan: SessionPlan, seat: int, engagement: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels (T,) of the participant in a seat, and whether each frame has one, (T,) bool."""
    return annotate(np.random.default_rng((plan.seed, 4, seat)), engagement)


def write_annotation(plan: SessionPlan, root: Path, engagement: np.ndarray) -> None:
    """Write the annotation files below `root`, the raw data; `engagement` is (P, T)."""
    for seat, member in enumerate(plan.members):
        if member.labelled:
            values, valid = labels_of(plan, seat, engagement[seat])
            write_labels(root / plan.path(member.participant, "engagement.annotation.csv"), values, valid)
    end_s = engagement.shape[1] / LABEL_RATE_HZ
    language = root / plan.folder / "language.annotation.csv"
    replace_file(language, f"0.00;{end_s:.2f};{LANGUAGE_NAMES[plan.language]};1.0\n".encode("ascii"))
