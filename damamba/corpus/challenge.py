"""Folder and file names of the MultiMediate challenge, for labels and for submissions.

Source: hcmlab/MultiMediate26 ``baseline/4_TestingNN_fairness_per_session.py`` and ``5_CreateResulttable.py`` (2026);
submissions of CEAM and DAT (2023, 2024).
"""

import re
from collections.abc import Iterable

FOLDERS = {
    "noxi": "noxi-base",
    "noxi_add": "noxi-additional",
    "noxi_j": "noxi-j",
    "mpiigi": "mpiigroupinteraction",
}
"""Corpus -> its folder in a submission."""
SUFFIXES = {2024: ".engagement.annotation.csv", 2026: ".engagement.prediction.csv"}
"""Edition -> end of a submitted file's name; the part before it is the role."""
LABEL_SUFFIX = ".engagement.annotation.csv"
PREDICTION = re.compile(r"^(?P<participant>.+?)\.engagement\.(?:prediction|pred|annotation|annotation_pred)\.csv$")
"""All file names that teams have used for predictions."""
SYNONYMS = {
    **{folder: corpus for corpus, folder in FOLDERS.items()},
    **{corpus: corpus for corpus in FOLDERS},
    "test-base": "noxi",
    "test-additional": "noxi_add",
    "mpii": "mpiigi",
}
"""Folder name in a release or submission -> corpus."""
SPLITS = {
    "train": "train",
    "val": "val",
    "test": "test",
    "test-base": "test",
    "test-additional": "test",
    "noxi-base": "test",
    "noxi-additional": "test",
}
"""Folder name in a release -> split."""


def corpus_of(folders: Iterable[str]) -> str | None:
    """Corpus that the innermost known folder stands for; None where no folder is known."""
    return _innermost(folders, SYNONYMS)


def split_of(folders: Iterable[str]) -> str | None:
    """Split that the innermost known folder stands for; None where no folder is known."""
    return _innermost(folders, SPLITS)


def _innermost(folders: Iterable[str], meanings: dict[str, str]) -> str | None:
    known = (meanings.get(folder.lower()) for folder in reversed(list(folders)))
    return next((meaning for meaning in known if meaning), None)
