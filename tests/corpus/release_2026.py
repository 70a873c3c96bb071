"""A synthetic release of 2026: the corpora of 2025, NoXi-J and PInSoRo, 21 sessions.

The four corpora of engagement are made as those of earlier years, with their defects. PInSoRo has streams of 30 Hz
beside classes of 25 Hz, streams of the whole scene, a robot without streams, data files twice as long as declared,
±3.689e19, and in one session the public annotations of two coders in place of the release's.
"""

from pathlib import Path

import numpy as np

from damamba.corpus.release import CLASSES, FEATURES
from damamba.corpus.ssi import write_stream
from tests.corpus.release import MISSING, build_session, engagement, n_frames
from tests.corpus.release import WIDTHS as OLDER_WIDTHS

WIDTHS = {**OLDER_WIDTHS, "audio.xlm_roberta_embeddings": 4, "dino": 3, "swin": 4, "videomae": 5, "openface3": 4}
SESSIONS = {
    ("noxi", "train"): ("001", "003", "013", "022"),
    ("noxi", "val"): ("009",),
    ("noxi", "test"): ("002",),
    ("noxi_add", "test"): ("015",),
    ("mpiigi", "val"): ("028",),
    ("mpiigi", "test"): ("002",),
    ("noxi_j", "train"): ("085", "086"),
    ("noxi_j", "val"): ("095",),
    ("noxi_j", "test"): ("100",),
    ("pinsoro_cc", "train"): ("1", "2", "3"),
    ("pinsoro_cc", "val"): ("4",),
    ("pinsoro_cc", "test"): ("5",),
    ("pinsoro_cr", "train"): ("51", "52"),
    ("pinsoro_cr", "val"): ("53",),
    ("pinsoro_cr", "test"): ("54",),
}
CORPORA = tuple(dict.fromkeys(corpus for corpus, _ in SESSIONS))
LANGUAGES = {"noxi": "French", "noxi_add": "Arabic", "mpiigi": "German", "noxi_j": "Japanese"}
PINSORO_RATE_HZ = 30
PINSORO_STREAMS = WIDTHS
CONTEXT = {"env.videomae": 5}
CODED = ("pinsoro_cc", "3")
"""The session with public annotations."""
ANNOTATED = ("task_engagement", "social_engagement")


def build(root: Path, withheld: bool = True, corpora: tuple[str, ...] = CORPORA) -> Path:
    """A release below `root`; test labels are there where they are not `withheld`."""
    for (corpus, split), sessions in SESSIONS.items():
        for session in sessions if corpus in corpora else ():
            folder = root / FEATURES[2026][corpus][split][0] / session
            labelled = split != "test" or not withheld
            if corpus.startswith("pinsoro"):
                build_pinsoro(corpus, session, folder, labelled)
            else:
                widths = {name: width for name, width in WIDTHS.items() if (corpus, name) not in MISSING}
                language = "Chinese" if session == "086" else LANGUAGES[corpus]
                build_session(corpus, session, folder, folder, language=language, labelled=labelled, widths=widths)
    return root


def classes(corpus: str, session: str, role: str, annotation: str) -> list[str]:
    """A class for each label frame, which the streams hold."""
    signal = engagement(corpus, session, role, n_frames(corpus, session))
    names = CLASSES[annotation]
    return [names[min(int(value * len(names)), len(names) - 1)] for value in signal]


def build_pinsoro(corpus: str, session: str, folder: Path, labelled: bool) -> None:
    """One session of children."""
    folder.mkdir(parents=True)
    n = n_frames(corpus, session)
    rows = round(n / 25 * PINSORO_RATE_HZ)
    rng = np.random.default_rng(int(session))
    (folder / "language.annotation.csv").write_text(f"0;{n / 25};English;1\n")
    roles = ("purple", "yellow") if corpus == "pinsoro_cc" else ("purple",)
    for role in roles:
        (folder / f"{role}.gender.annotation.csv").write_text(f"0;{n / 25};{1 + (role == 'yellow')};1\n")
        signal = np.interp(np.arange(rows) / PINSORO_RATE_HZ, np.arange(n) / 25, engagement(corpus, session, role, n))
        for name, width in PINSORO_STREAMS.items():
            x = (signal[:, None] - 0.5) * rng.normal(1, 0.3, width) + 0.05 * rng.normal(size=(rows, width))
            x = x.astype(np.float32)
            if name == "openface2" and session == "2":
                x[20:25] = 2.0**65
            write_stream(folder / f"{role}.{name}.stream", x, float(PINSORO_RATE_HZ))
            if name == "videomae" and session == "1":
                data = folder / f"{role}.{name}.stream~"
                data.write_bytes(data.read_bytes() * 2)
        for annotation in ANNOTATED if labelled and (corpus, session) != CODED else ():
            lines = classes(corpus, session, role, annotation)
            lines[3:5] = ["", "nan"]
            (folder / f"{role}.{annotation}.annotation.csv").write_text("\n".join(lines) + "\n")
    for name, width in CONTEXT.items():
        write_stream(folder / f"{name}.stream", rng.normal(size=(rows, width)).astype(np.float32), 30.0)
    if (corpus, session) == CODED:
        for coder, late in (("ada", 0), ("bob", 5)):
            write_coder(folder / f"freeplay.annotations.{coder}.yaml", corpus, session, roles, late)


def write_coder(path: Path, corpus: str, session: str, roles: tuple[str, ...], late: int, began_s: float = 0.0) -> None:
    """Public annotations of a coder who responds `late` label frames after the classes change."""
    lines = []
    for role in roles:
        lines.append(f"{role}:")
        for annotation in ANNOTATED:
            names = classes(corpus, session, role, annotation)
            changes = [i for i in range(1, len(names)) if names[i] != names[i - 1]]
            starts = [0, *(min(i + late, len(names) - 1) for i in changes)]
            ends = [*starts[1:], len(names)]
            for first, stop, at in zip(starts, ends, [0, *changes], strict=True):
                if first < stop:
                    lines.append(f"- {names[at]}: [{began_s + first / 25:.3f}, {began_s + stop / 25:.3f}]")
    path.write_text("\n".join(lines) + "\n")
