"""What `damamba score` prints: a scorecard as text tables, and warnings."""

from collections.abc import Iterable, Sequence
from typing import Any

from damamba.scoring.pairing import PredictionFinding
from damamba.text import MISSING, columns, number, some

DIFFERS = 5e-4
"""A difference of CCC that shows in the third decimal."""
SHOWN = 12
"""Sessions listed."""


def scorecard_lines(card: dict[str, Any]) -> list[str]:
    """The scores by corpus, then by group, then the lowest sessions."""
    counts = ("sessions", "participants", "frames", "invalid", "missing")
    rows = [
        [
            corpus,
            number(_score(row)),
            _span(row["interval"]),
            number(row["by_session"]["mean"]),
            *(str(row[name]) for name in counts),
        ]
        for corpus, row in card["corpora"].items()
    ]
    title = _title(card["corpora"].values())
    totals = [str(sum(row[name] for row in card["corpora"].values())) for name in counts]
    rows.append(["Global", number(card["global"]), _span(card["interval"]), "", *totals])
    lines = [f"{title}, paired {card['pairing']}; {card['confidence']:.0%} interval over two or more sessions", ""]
    lines += columns(["corpus", title, "interval", "by session", *counts], rows)
    if challenge := card.get("challenge"):
        lacking = f"; it lacks {', '.join(challenge['missing'])}" if challenge["missing"] else ""
        lines += ["", f"Challenge of 2026, weighted: {number(challenge['score'])}{lacking}"]
    grouped = [
        [
            corpus,
            attribute,
            value,
            number(_score(row)),
            number(row["disparity"], signed=True),
            str(row["frames"]),
        ]
        for corpus, attributes in card["groups"].items()
        for attribute, values in attributes.items()
        for value, row in values.items()
    ]
    if grouped:
        lines += ["", "By group; disparity = prediction above that of all participants at the same label", ""]
        lines += columns(["corpus", "by", "group", title, "disparity", "frames"], grouped, left=3)
        gaps = [
            [corpus, attribute, number(_score(gap)), number(gap["disparity"])]
            for corpus, attributes in card["gaps"].items()
            for attribute, gap in attributes.items()
        ]
        lines += ["", *columns(["corpus", "gap by", title, "disparity"], gaps, left=2)]
    worst = sorted((row for row in card["sessions"] if _score(row) is not None), key=_score)[:SHOWN]
    shown = [
        [f"{row['corpus']}/{row['session']}", row["language"], number(_score(row)), *(str(row[n]) for n in counts[2:])]
        for row in worst
    ]
    which = f"the {SHOWN} lowest of {len(card['sessions'])}" if len(card["sessions"]) > SHOWN else "lowest first"
    return [*lines, "", f"Sessions, {which}", "", *columns(["session", "language", title, *counts[2:]], shown, left=2)]


def _score(row: dict[str, Any]) -> Any:
    """The score of a row; None where it is undefined."""
    return row["ccc"] if "ccc" in row else row["kappa"]


def _title(rows: Iterable[dict[str, Any]]) -> str:
    """Name of the scores in the rows: CCC, kappa or both."""
    return " / ".join(dict.fromkeys("CCC" if "ccc" in row else "kappa" for row in rows))


def _span(ends: list[float | None]) -> str:
    return MISSING if None in ends else f"[{number(ends[0])}, {number(ends[1])}]"


def scorecard_warnings(card: dict[str, Any], findings: Sequence[PredictionFinding]) -> list[str]:
    """What a reader of the scores should know about the folder and the protocol."""
    lines = []
    for kind in dict.fromkeys(finding.kind for finding in findings):
        texts = [str(finding) for finding in findings if finding.kind == kind]
        lines.append(f"{len(texts)} × {kind}: {some(texts, 3)}")
    other = card["other_pairing"]
    name = "by frame" if card["pairing"] == "official" else "official"
    for corpus, row in card["corpora"].items():
        ours, theirs = _score(row), other["corpora"][corpus]
        if (ours is None) != (theirs is None) or (ours is not None and abs(ours - theirs) > DIFFERS):
            lines.append(
                f"{corpus}: {_title([row])} {number(ours)} paired {card['pairing']}, {number(theirs)} paired {name}: "
                "labels with invalid lines before their end shift one against the other; state which of them you report"
            )
    for corpus, row in card["corpora"].items():
        if left := row["by_session"]["left_out"]:
            lines.append(
                f"{corpus}: {left} of {row['sessions']} sessions have a constant annotation, or no frame, and no "
                f"{_title([row])} of their own; the mean by session leaves them out"
            )
    undefined = [corpus for corpus, row in card["corpora"].items() if _score(row) is None]
    if undefined:
        title = _title(card["corpora"][corpus] for corpus in undefined)
        lines.append(f"{title} undefined for {', '.join(undefined)}: no frame, or two equal constants; so is Global")
    return lines
