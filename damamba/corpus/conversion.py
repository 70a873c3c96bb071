"""Annotations of one participant from one tool's format into another's."""

import logging
from collections.abc import Sequence
from pathlib import Path

from damamba.config import LABEL_RATE_HZ, MergeMethod
from damamba.console import InputError
from damamba.corpus.agreement import MergedLabels, fitted, merge
from damamba.corpus.annotations import MAX_S, read_annotation, write_annotation

logger = logging.getLogger(__name__)
MAX_LAG_S = 60.0
"""No annotator responds later than that."""


def convert(
    inputs: Sequence[Path],
    output: Path,
    *,
    tier: str | None = None,
    merge_method: MergeMethod = "mean",
    min_annotators: int = 1,
    lag_s: float = 0.0,
    length_s: float | None = None,
    value_range: tuple[float, float] | None = None,
    rate_hz: float = LABEL_RATE_HZ,
    step_s: float = 1.0,
    annotator: str | None = None,
    role: str = "",
    media: Sequence[str] = (),
) -> MergedLabels:
    """Read annotations, merge them at 25 Hz and write the result.

    Args:
        inputs: Files of one or several annotators.
        output: File to write; the format follows from its ending.
        tier: Name of the ELAN tier to read, and of the tier or scheme to write.
        merge_method: As in `merge`.
        min_annotators: As in `merge`.
        lag_s: Delay of the annotators, s.
        length_s: Length of the recording, s; None: as long as the longest annotation.
        value_range: Values that become 0 and 1, as in `read_annotation`.
        rate_hz: Rate of a CSV with one value a line.
        step_s: Length of a step in ELAN, s.
        annotator: Name to write; None: the annotators of `inputs`.
        role: Role of the participant, for NOVA.
        media: Videos or sounds beside `output`, for ELAN.

    Returns:
        What was written.

    Raises:
        InputError: As `read_annotation`, `merge` and `write_annotation`; `output` is one of the inputs; or a lag or
            length that cannot be.
    """
    if output.resolve() in {path.resolve() for path in inputs}:
        raise InputError(f"{output}: is an input and the output; give the output another name")
    if not (abs(lag_s) <= MAX_LAG_S and (length_s is None or 0 < length_s <= MAX_S)):
        raise InputError(
            f"--lag-s {lag_s:g}, --length-s {length_s}: expected seconds, a lag within {MAX_LAG_S:g} and a length up "
            f"to {MAX_S:g}"
        )
    annotations = [
        read_annotation(path, tier if path.suffix.lower() == ".eaf" else None, value_range=value_range, rate_hz=rate_hz)
        for path in inputs
    ]
    fits = [fitted(str(path), one, length_s, MAX_S) for path, one in zip(inputs, annotations, strict=True)]
    annotations = [annotation for annotation, _ in fits]
    for _, notes in fits:
        for note in notes:
            logger.warning("note: %s", note)
    length = None if length_s is None else round(length_s * LABEL_RATE_HZ)
    series = [annotation.labels(length, lag_s) for annotation in annotations]
    merged = merge(series, merge_method, min_annotators)
    write_annotation(
        output,
        merged.labels,
        tier=tier or "engagement",
        annotator=annotator or "+".join(filter(None, (annotation.annotator for annotation in annotations))),
        role=role,
        step_s=step_s,
        media=media,
    )
    return merged
