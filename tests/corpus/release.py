"""Faithful synthetic releases of the challenge, with the defects that the real ones have.

`build(root)` writes all splits, 20 sessions, every case of `CASES`; streams are narrow so that tests are fast, and tell
who they are of: engagement can be read off them.
"""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from damamba.corpus.release import FEATURES, LABEL_FILE, OTHER_WIDTHS, SEATS, UNLABELLED_SEATS
from damamba.corpus.ssi import write_stream

WIDTHS = {
    "audio.egemapsv2": 8,
    "audio.w2vbert2_embeddings": 16,
    "clip": 12,
    "openface2": 11,
    "openpose": 9,
}
OFFICIAL_WIDTHS = {
    "audio.egemapsv2": 88,
    "audio.w2vbert2_embeddings": 1024,
    "clip": 512,
    "openface2": 714,
    "openpose": 139,
}
SESSIONS = {
    ("noxi", "train"): ("001", "003", "013", "020", "021", "022", "023"),
    ("noxi", "val"): ("007", "009", "011"),
    ("noxi", "test"): ("002", "006"),
    ("noxi_add", "test"): ("015", "016"),
    ("mpiigi", "val"): ("008", "026", "028"),
    ("mpiigi", "test"): ("001", "002", "003"),
}
LANGUAGES = {"noxi": ("English", "French", "German"), "noxi_add": ("Arabic", "Italian"), "mpiigi": ("German",)}


@dataclass
class Case:
    """How a participant departs from a good one."""

    offsets: dict[str, int] = field(default_factory=dict)
    """Stream -> rows more than the session has."""
    present: dict[str, float] = field(default_factory=dict)
    """Stream -> share of the data file that is there."""
    absent: tuple[str, ...] = ()
    """Streams that are not there."""
    ascii: tuple[str, ...] = ()
    chunks: tuple[str, ...] = ()
    """Streams in three chunks."""
    backwards: tuple[str, ...] = ()
    """Streams whose last chunk begins before the one in front of it."""
    surplus: tuple[str, ...] = ()
    """Streams with seven rows after the header's last."""
    broken: dict[str, float] = field(default_factory=dict)
    """Stream -> value of rows 10 to 14."""
    video_names: bool = False
    label_rows: int = 0
    """More than the session has."""


CASES: dict[tuple[str, str, str], Case] = {
    ("noxi", "001", "expert"): Case(offsets={"clip": 2, "openface2": -1}, label_rows=1),
    ("noxi", "003", "novice"): Case(video_names=True),
    ("noxi", "013", "expert"): Case(broken={"audio.egemapsv2": np.nan, "openface2": -1.0}),
    ("noxi", "013", "novice"): Case(broken={"clip": np.inf, "openpose": -1.0}),
    ("noxi", "020", "expert"): Case(chunks=("clip",)),
    ("noxi", "020", "novice"): Case(backwards=("openpose",)),
    ("noxi", "021", "novice"): Case(ascii=("openpose",)),
    ("noxi", "022", "expert"): Case(broken={"audio.w2vbert2_embeddings": -(2.0**65)}),
    ("noxi", "009", "expert"): Case(surplus=("clip",)),
    ("noxi", "011", "novice"): Case(offsets={"openface2": 900}),
    ("noxi", "002", "novice"): Case(present={"audio.w2vbert2_embeddings": 0.82}),
    ("noxi", "006", "expert"): Case(absent=("openpose",)),
    ("mpiigi", "026", "subjectPos1"): Case(absent=("audio.egemapsv2", "audio.w2vbert2_embeddings")),
    ("mpiigi", "001", "subjectPos4"): Case(absent=tuple(WIDTHS)),
}
MISSING = {("mpiigi", "openface3")}
"""(corpus, stream) that the release does not have."""
WITHOUT_LANGUAGE = ("noxi", "022")
UNLISTED = "999"


def n_frames(corpus: str, session: str) -> int:
    """Label frames of a session: no multiple of 32, and one shorter than a window."""
    return 77 if (corpus, session) == ("noxi", "023") else 203 + 3 * int(session)


def engagement(corpus: str, session: str, role: str, n: int) -> np.ndarray:
    """(n,) in [0, 1], smooth."""
    seed = [*corpus.encode(), int(session), *role.encode()]
    rng = np.random.default_rng(seed)
    phase, speed = rng.uniform(0, 6, 2), rng.uniform(0.01, 0.05, 2)
    t = np.arange(n)
    return 0.5 + 0.2 * np.sin(phase[0] + speed[0] * t) + 0.2 * np.sin(phase[1] + speed[1] * t)


def build(root: Path, layout: int = 2025, labels_apart: bool = True, widths: dict[str, int] = WIDTHS) -> Path:
    """All splits of a release below `root`, and a folder of no official list; those that came in 2026 are left out."""
    (root / FEATURES[layout]["noxi"]["train"][0] / UNLISTED).mkdir(parents=True)
    for (corpus, split), sessions in SESSIONS.items():
        folder = root / FEATURES[layout][corpus][split][-1 if layout >= 2025 else 0]
        labels = root / "mpii/MultiMediate25/val/engagement-annotations-val"
        apart = labels_apart and layout >= 2025 and (corpus, split) == ("mpiigi", "val")
        for i, session in enumerate(sessions):
            names = LANGUAGES[corpus]
            build_session(
                corpus,
                session,
                folder / session,
                labels / session if apart else folder / session,
                language=names[i % len(names)],
                labelled=split != "test",
                old_names=layout == 2024,
                widths={name: width for name, width in widths.items() if (corpus, name) not in MISSING},
            )
    return root


def build_session(
    corpus: str,
    session: str,
    folder: Path,
    label_folder: Path,
    *,
    language: str = "English",
    labelled: bool = True,
    old_names: bool = False,
    widths: dict[str, int] = WIDTHS,
) -> None:
    """One session as the release has it."""
    folder.mkdir(parents=True, exist_ok=True)
    label_folder.mkdir(parents=True, exist_ok=True)
    n = n_frames(corpus, session)
    if (corpus, session) != WITHOUT_LANGUAGE:
        (folder / "language.annotation.csv").write_text(f"0.00;{n / 25:.2f};{language};1.0\n")
    if corpus == "mpiigi" and session in ("002", "003"):
        (folder / "s.clip.stream").write_text("scene")
        (folder / "s.clip.stream~").write_bytes(b"scene")
    for role in SEATS[corpus]:
        case = CASES.get((corpus, session, role), Case(offsets={"clip": int(session) % 3, "openpose": -1}))
        _write_streams(folder, corpus, session, role, n, case, old_names, widths)
        if len(case.absent) == len(WIDTHS):
            continue
        (folder / f"{role}.gender.annotation.csv").write_text(
            f"0;{n / 25};{1 + (role in ('novice', 'subjectPos2'))};1\n"
        )
        (folder / f"{role}.age.annotation.csv").write_text(f"0;{n / 25};3;1\n")
        if labelled and not case.absent and (corpus, session, role) not in UNLABELLED_SEATS:
            write_labels(label_folder / f"{role}.{LABEL_FILE}", engagement(corpus, session, role, n + case.label_rows))


def write_labels(path: Path, values: np.ndarray) -> None:
    """A label file with the release's tokens for what was not annotated, in latin-1."""
    lines = [f"{value:.6f}" for value in values]
    for row, token in ((3, "-nan(ind)"), (4, "-nan(ind)"), (9, ""), (20, "nan\xa0")):
        lines[row] = token
    path.write_bytes(("\n".join(lines) + "\n").encode("latin-1"))


def _write_streams(
    folder: Path, corpus: str, session: str, role: str, n: int, case: Case, old_names: bool, widths: dict[str, int]
) -> None:
    rng = np.random.default_rng([int(session), *role.encode()])
    for name, width in widths.items():
        without_sound = name.startswith("audio.") and "audio.egemapsv2" in case.absent
        if name in case.absent or without_sound or len(case.absent) == len(WIDTHS):
            continue
        if (corpus, name) in OTHER_WIDTHS:
            width *= 3
        rows = n + case.offsets.get(name, 0)
        signal = engagement(corpus, session, role, rows)[:, None] - 0.5
        sparse = name == "audio.xlm_roberta_embeddings" and int(session) % 2  # 2 Hz in some sessions, 25 in others
        if sparse:
            signal = signal[:: 25 // 2]
            rows = len(signal)
        x = (signal * rng.normal(1, 0.3, width) + 0.05 * rng.normal(size=(rows, width))).astype(np.float32)
        if name == "audio.egemapsv2":
            x[:, 0] *= 2.6e5
        if name == "openface2":
            x[:, 0], x[:, 1], x[:, 2] = np.arange(rows), 0, np.arange(rows) / 25
        if name == "openpose":
            x[5:9, 1] = -1  # a point that is not seen for a while
        if name in case.broken:
            x[10:15] = case.broken[name]
        visual = not name.startswith("audio.")
        spelt = f"{role}.video.{name}" if visual and (case.video_names or old_names) else f"{role}.{name}"
        path = folder / f"{spelt}.stream"
        chunks = [(0.0, 50), (2.0, 30), (3.2, rows - 80)] if name in case.chunks else None
        if name in case.backwards:
            chunks = [(0.0, 50), (6.0, 30), (3.2, rows - 80)]
        # the release's headers of this stream say 40 for 25; MPIIGI's test split is right
        wrong = name == "audio.w2vbert2_embeddings" and not (corpus == "mpiigi" and session in ("001", "002", "003"))
        write_stream(
            path,
            x,
            40.0 if wrong else 25 / (25 // 2) if sparse else 25.0,
            file_type="ASCII" if name in case.ascii else "BINARY",
            chunks=chunks,
        )
        if name in case.surplus:
            with path.with_name(path.name + "~").open("ab") as data:
                data.write(x[:7].tobytes())
        share = case.present.get(name, 1.0)
        if share < 1:
            data = path.with_name(path.name + "~")
            data.write_bytes(data.read_bytes()[: int(share * data.stat().st_size)])


def remove(folder: Path) -> None:
    """A folder that is not there."""
    shutil.rmtree(folder)
