"""Contents of the MultiMediate release: corpora, official session lists, roles, streams and their folders.

Source:
    Session lists, roles and trees as in hcmlab/MultiMediate_26 ``baseline/configs`` and in the challenge's downloads
    of 2024 and 2025; the lists of NoXi are the same in all editions since 2023. Of the corpora that came in 2026 only
    the numbers of sessions are known here: their folders are the lists.
"""

CORPORA = {
    "noxi": "NoXi",
    "noxi_add": "NoXi-Add",
    "mpiigi": "MPIIGI",
    "noxi_j": "NoXi-J",
    "pinsoro_cc": "PInSoRo child-child",
    "pinsoro_cr": "PInSoRo child-robot",
}
"""Corpus -> its name in the challenge."""

ENGAGEMENT = "engagement"
CLASSES = {
    "task_engagement": ("goaloriented", "aimless", "adultseeking", "noplay"),
    "social_engagement": ("solitary", "onlooker", "parallel", "associative", "cooperative"),
    "social_attitude": ("prosocial", "adversarial", "assertive", "frustrated", "passive"),
}
"""Annotation of PInSoRo -> its classes; the challenge scores the first two."""
ANNOTATIONS = {
    **dict.fromkeys(("noxi", "noxi_add", "mpiigi", "noxi_j"), (ENGAGEMENT,)),
    **dict.fromkeys(("pinsoro_cc", "pinsoro_cr"), ("task_engagement", "social_engagement")),
}
"""Corpus -> what is annotated in it and scored; the middle of the label files' names."""


def gender_of(category: str) -> str:
    """``female`` or ``male`` for a category of ``<role>.gender.annotation.csv``; "" for ""."""
    return category and ("female" if category == FEMALE else "male")


def _listed(numbers: str) -> tuple[str, ...]:
    return tuple(numbers.split())


SESSIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "noxi": {
        "train": _listed(
            "001 003 013 020 021 022 023 026 027 028 029 030 031 038 039 040 042 043 044 045 046 047 048 049 "
            "050 052 055 056 057 064 066 067 068 069 070 072 073 077"
        ),
        "val": _listed("007 009 011 014 058 062 063 074 075 076"),
        "test": _listed("002 006 012 018 024 025 032 033 034 035 036 037 078 080 083 084"),
    },
    "noxi_add": {"test": _listed("015 016 017 019 041 051 053 054 059 060 061 065")},
    "mpiigi": {"val": _listed("008 009 010 026 027 028"), "test": _listed("001 002 003 004 005 006")},
}
"""Corpus -> split -> sessions. These lists define the splits; MPIIGI has no training split."""
N_SESSIONS: dict[str, dict[str, int]] = {
    **{corpus: {split: len(names) for split, names in splits.items()} for corpus, splits in SESSIONS.items()},
    "noxi_j": {"train": 31, "val": 10, "test": 10},
    "pinsoro_cc": {"train": 20, "val": 7, "test": 6},
    "pinsoro_cr": {"train": 12, "val": 5, "test": 6},
}
"""Corpus -> split -> number of its sessions."""
NUMBERED_TOGETHER = (("noxi", "noxi_add", "noxi_j"), ("mpiigi",), ("pinsoro_cc",), ("pinsoro_cr",))
"""Corpora whose sessions have no number twice."""

SEATS = {
    **dict.fromkeys(("noxi", "noxi_add", "noxi_j"), ("expert", "novice")),
    "mpiigi": ("subjectPos1", "subjectPos2", "subjectPos3", "subjectPos4"),
    **dict.fromkeys(("pinsoro_cc", "pinsoro_cr"), ("purple", "yellow")),
}
"""Corpus -> roles in a session; a role is the first part of every file name. A robot has no streams: an empty seat."""
CONTEXT = "env"
"""First part of the names of PInSoRo's streams of the whole scene, which belong to everybody in the session."""
WITH_CONTEXT = ("pinsoro_cc", "pinsoro_cr")
ROWS_AT_LABEL_RATE = ("noxi", "noxi_add", "noxi_j", "mpiigi")
"""Corpora in which a header may declare another rate than the 25 Hz of the rows; elsewhere headers are right."""
OTHER_WIDTHS = {("mpiigi", "dino")}
"""(corpus, stream) whose width is another one than in all other corpora: three times 768."""

EMPTY_SEATS = {"001": "subjectPos4", "026": "subjectPos1", "027": "subjectPos1"}
"""MPIIGI's groups of three: session -> the role that nobody takes."""
UNLABELLED_SEATS = {("mpiigi", "028", "subjectPos1")}
"""Participants with streams and no label in a session of a labelled split."""

LANGUAGE_NAMES = {
    "en": "English",
    "fr": "French",
    "de": "German",
    "ar": "Arabic",
    "it": "Italian",
    "id": "Indonesian",
    "es": "Spanish",
    "ja": "Japanese",
    "zh": "Chinese",
}
"""Language code -> its name in ``language.annotation.csv``."""

FEMALE = "2"
"""Category in ``<role>.gender.annotation.csv``; the challenge's fairness script counts every other one as male."""

ReleaseFolders = dict[str, dict[str, tuple[str, ...]]]
"""Corpus -> split -> folders below the release's root; the first one that exists is read."""

FEATURES: dict[int, ReleaseFolders] = {
    2024: {
        "noxi": {"train": ("Noxi/train",), "val": ("Noxi/val",), "test": ("noxi-base",)},
        "noxi_add": {"test": ("noxi-additional",)},
        "mpiigi": {"val": ("mpiigroupinteraction",), "test": ("mpiigroupinteraction",)},
    },
    2025: {
        "noxi": {"train": ("noxi/train",), "val": ("noxi/val",), "test": ("noxi/test-base",)},
        "noxi_add": {"test": ("noxi/test-additional",)},
        "mpiigi": {
            "val": ("mpiigroupinteraction/val", "mpii/MultiMediate25/val/precomputed-features-val"),
            "test": ("mpiigroupinteraction/test", "mpii/MultiMediate25/test/precomputed-features-test"),
        },
    },
}
"""Layout -> folders of sessions."""
FEATURES[2026] = {
    **FEATURES[2025],
    "noxi_j": {split: (f"noxi-j/{split}",) for split in N_SESSIONS["noxi_j"]},
    "pinsoro_cc": {split: (f"pinsoro/{split}-cc",) for split in N_SESSIONS["pinsoro_cc"]},
    "pinsoro_cr": {split: (f"pinsoro/{split}-cr",) for split in N_SESSIONS["pinsoro_cr"]},
}
LABELS: ReleaseFolders = {"mpiigi": {"val": ("mpii/MultiMediate25/val/engagement-annotations-val",)}}
"""Labels that lie in a tree of their own; all others lie beside the features."""
MEDIA: ReleaseFolders = {
    "mpiigi": {
        "val": ("mpii/MultiMediate25/val/originalAudioVideo-val",),
        "test": ("mpii/MultiMediate25/test/originalAudioVideo-test",),
    }
}
"""Raw media that lie in a tree of their own; all others lie beside the features."""

LABEL_ENDING = ".annotation.csv"
LABEL_FILE = f"{ENGAGEMENT}{LABEL_ENDING}"
CODERS = "freeplay.annotations.*.yaml"
"""PInSoRo's public annotations, a file a coder, for both children: stretches of time."""
LANGUAGE_FILE = "language.annotation.csv"
VIDEO_FILES = ("video.mp4", "mp4")
AUDIO_FILES = ("audio.wav", "wav")
SCENE = "s"
"""First part of the file names of MPIIGI's scene view, which shows the whole room."""
STREAMS_OF_2023 = ("audio.gemaps", "audio.soundnet", "kinect2.skeleton", "kinect2.au")
"""Streams that only the release of 2023 has; its OpenFace and OpenPose differ in width from the later ones."""
