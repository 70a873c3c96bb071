"""Contents of the MultiMediate release: corpora, official session lists, roles, streams and their folders.

Source:
    Session lists, roles and trees as in hcmlab/MultiMediate26 ``baseline/configs`` and in the challenge's downloads
    of 2024 and 2025; the lists of NoXi are the same in all editions since 2023.
"""

CORPORA = {"noxi": "NoXi", "noxi_add": "NoXi-Add", "mpiigi": "MPIIGI"}
"""Corpus -> its name in the challenge."""


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

SEATS = {
    "noxi": ("expert", "novice"),
    "noxi_add": ("expert", "novice"),
    "mpiigi": ("subjectPos1", "subjectPos2", "subjectPos3", "subjectPos4"),
}
"""Corpus -> roles in a session; a role is the first part of every file name."""

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
"""Layout -> folders of sessions; 2026 has the layout of 2025."""
LABELS: ReleaseFolders = {"mpiigi": {"val": ("mpii/MultiMediate25/val/engagement-annotations-val",)}}
"""Labels that lie in a tree of their own; all others lie beside the features."""
MEDIA: ReleaseFolders = {
    "mpiigi": {
        "val": ("mpii/MultiMediate25/val/originalAudioVideo-val",),
        "test": ("mpii/MultiMediate25/test/originalAudioVideo-test",),
    }
}
"""Raw media that lie in a tree of their own; all others lie beside the features."""

LABEL_FILE = "engagement.annotation.csv"
LANGUAGE_FILE = "language.annotation.csv"
VIDEO_FILES = ("video.mp4", "mp4")
AUDIO_FILES = ("audio.wav", "wav")
SCENE = "s"
"""First part of the file names of MPIIGI's scene view, which shows the whole room."""
STREAMS_OF_2023 = ("audio.gemaps", "audio.soundnet", "kinect2.skeleton", "kinect2.au")
"""Streams that only the release of 2023 has; its OpenFace and OpenPose differ in width from the later ones."""
