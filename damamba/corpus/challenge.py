"""Folder and file names of the MultiMediate challenge, for labels and for submissions, and how it weighs its corpora.

Source: hcmlab/MultiMediate_26 ``baseline/4_TestingNN_fairness_per_session.py`` and ``5_CreateResulttable.py`` (2026);
submissions of CEAM and DAT (2023, 2024).
"""

import re
from collections.abc import Iterable, Sequence

from damamba.corpus.release import ANNOTATIONS, CLASSES, ENGAGEMENT, FEATURES

FOLDERS = {
    "noxi": "noxi-base",
    "noxi_add": "noxi-additional",
    "noxi_j": "noxi-j",
    "mpiigi": "mpiigroupinteraction",
    "pinsoro_cc": "pinsoro-cc",
    "pinsoro_cr": "pinsoro-cr",
}
"""Corpus -> its folder in a submission."""
ENDINGS = {2024: ".annotation.csv", 2026: ".prediction.csv"}
"""Edition -> end of a submitted file's name; before it stand the role and what is predicted."""
CLASS_ENDING = ".engagement.prediction.csv"
"""The same of classes, since 2026."""
LABEL_SUFFIX = ".engagement.annotation.csv"
PREDICTION = re.compile(
    rf"^(?P<participant>.+?)\.(?P<annotation>{'|'.join((ENGAGEMENT, *CLASSES))})"
    r"(?:\.engagement)?\.(?:prediction|pred|annotation|annotation_pred)\.csv$"
)
"""All file names that teams have used for predictions."""
SYNONYMS = {
    **{folder: corpus for corpus, folder in FOLDERS.items()},
    **{corpus: corpus for corpus in FOLDERS},
    "test-base": "noxi",
    "test-additional": "noxi_add",
    "mpii": "mpiigi",
    **{f"{split}-{kind}": f"pinsoro_{kind}" for split in ("train", "val", "test") for kind in ("cc", "cr")},
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
    **{f"{split}-{kind}": split for split in ("train", "val", "test") for kind in ("cc", "cr")},
}
"""Folder name in a release -> split."""


def scored_as(corpus: str, annotation: str = ENGAGEMENT) -> str:
    """Name under which an annotation of a corpus is scored: ``noxi``, ``pinsoro_cc-task``."""
    return corpus if annotation == ENGAGEMENT else f"{corpus}-{annotation.split('_')[0]}"


def annotation_of(classes: Sequence[str]) -> str:
    """The challenge's annotation with these classes; `ENGAGEMENT` for numbers, and where they are none of its own."""
    return next((annotation for annotation, names in CLASSES.items() if names == tuple(classes)), ENGAGEMENT)


WEIGHTS_2026 = {
    **{corpus: 1 / 6 for corpus, annotations in ANNOTATIONS.items() if annotations == (ENGAGEMENT,)},
    **{
        scored_as(corpus, annotation): 1 / 12
        for corpus, annotations in ANNOTATIONS.items()
        for annotation in annotations
        if annotation != ENGAGEMENT
    },
}
"""Weights of the challenge of 2026: CCC of each corpus 1/6, and 1/3 for the mean of PInSoRo's four kappas."""
SINCE_2026 = [name for name in WEIGHTS_2026 if name not in FEATURES[2025]]
"""What earlier editions did not score."""


def corpus_of(folders: Iterable[str]) -> str | None:
    """Corpus that the innermost known folder stands for; None where no folder is known."""
    return _innermost(folders, SYNONYMS)


def split_of(folders: Iterable[str]) -> str | None:
    """Split that the innermost known folder stands for; None where no folder is known."""
    return _innermost(folders, SPLITS)


def _innermost(folders: Iterable[str], meanings: dict[str, str]) -> str | None:
    known = (meanings.get(folder.lower()) for folder in reversed(list(folders)))
    return next((meaning for meaning in known if meaning), None)
