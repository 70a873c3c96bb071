"""From the listed sources to one corpus on disk: a manifest, labels and known defects."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from damamba.config import CONTINUOUS, MAIN, CorpusParams, LabelParams, ProtocolParams
from damamba.console import InputError
from damamba.corpus.agreement import kappa_of
from damamba.corpus.defects import KINDS, Defect, counts, write_report
from damamba.corpus.labels import Labels
from damamba.corpus.manifest import NAMED, TEXTS, Manifest, Participant, conflicts, join, label_folder, name_problems
from damamba.corpus.manifest_csv import label_column
from damamba.corpus.protocol import apply_protocol
from damamba.files import BLANK_SEAL, prune, replace_file, whole_file
from damamba.ingest.check import CheckedParticipant, IngestTask, check
from damamba.ingest.sources.base import Source, open_sources

logger = logging.getLogger(__name__)


def ingest(
    corpus: CorpusParams,
    out: Path,
    run: Callable[[Callable[[IngestTask], CheckedParticipant], Sequence[IngestTask]], list[CheckedParticipant]],
    labels: LabelParams = CONTINUOUS,
) -> str:
    """`ingest_sources` of those that the section `corpus` of params.yaml lists; `labels` is its section `labels`."""
    return ingest_sources(open_sources(corpus, labels), corpus.protocol, out, run)


def ingest_sources(
    sources: Mapping[str, Source[Any]],
    protocol: ProtocolParams,
    out: Path,
    run: Callable[[Callable[[IngestTask], CheckedParticipant], Sequence[IngestTask]], list[CheckedParticipant]],
) -> str:
    """Check every row and file of all sources, then write ``manifest.jsonl``, ``labels/`` and ``defects.json``.

    Where several people annotated classes, ``agreement.json`` has how well they agree.

    Args:
        sources: By name, as `open_sources` returns them.
        protocol: Which splits become which.
        out: Folder of the corpus; files of earlier runs that no longer belong there are removed.
        run: Applies a function to all tasks: the executor.

    Returns:
        A summary line.

    Raises:
        InputError: All problems, one a line; nothing is written then.
    """
    listings = {name: source.listing() for name, source in sources.items()}
    problems = [line for name, listing in listings.items() for line in _listing_problems(name, listing.participants)]
    if problems:
        raise InputError("\n".join(problems))
    source_of = {p.key: sources[name] for name, listing in listings.items() for p in listing.participants}
    joined = join([listing.participants for listing in listings.values()])
    participants = apply_protocol(joined.participants, protocol)
    _log_partners(participants)
    ends_s = _session_ends_s(participants)
    checked = run(check, [IngestTask(p, source_of[p.key], ends_s[p.corpus, p.session]) for p in participants])
    if problems := [one.problem for one in checked if one.problem]:
        summary = f"ingest: {len(problems)} of {len(checked)} participants cannot be used"
        raise InputError("\n".join([*problems, summary]))
    defects = [defect for listing in listings.values() for defect in listing.defects]
    defects += [defect for one in checked for defect in one.defects]
    manifest = Manifest(tuple(one.participant for one in checked))
    labels = next((source.every for source in sources.values()), {})
    lacking = [name for name in labels if name and not any(name in p.also for p in manifest.participants)]
    if lacking:
        raise InputError(
            f"params.yaml: labels.also.{lacking[0]}: no participant has this label; name its files in a column "
            f"{label_column(lacking[0])} of the manifest, or remove it"
        )
    n_labelled = _write_corpus(out, manifest, checked, defects, labels)
    _log_defects(defects)
    hours = sum(p.duration_s for p in manifest.participants) / 3600
    persons = len({(p.corpus, p.person) for p in manifest.participants})
    return (
        f"{len(manifest.sessions())} sessions, {len(checked)} participants ({n_labelled} labelled), "
        f"{persons} persons, {hours:.2f} h"
        + (f" · {len(defects)} known defects: {out / 'defects.json'}" if defects else "")
    )


def _session_ends_s(participants: Sequence[Participant]) -> dict[tuple[str, str], float]:
    """End of the longest stream of one's own in each session, s."""
    ends_s: dict[tuple[str, str], float] = {}
    for p in participants:
        own = [stream.end_s for stream in p.streams if stream.end_s is not None]
        ends_s[p.corpus, p.session] = max([ends_s.get((p.corpus, p.session), 0.0), *own])
    return ends_s


def _log_partners(participants: Sequence[Participant]) -> None:
    """Log people who are in several splits, which is no fault of those who are never labelled."""
    splits: dict[tuple[str, str], set[str]] = {}
    for p in participants:
        splits.setdefault((p.corpus, p.person), set()).add(p.split)
    for (corpus, person), names in sorted(splits.items()):
        if len(names) > 1:
            logger.info("%s of %s: in the splits %s, never labelled: a partner", person, corpus, " and ".join(names))


def _listing_problems(source: str, participants: Sequence[Participant]) -> list[str]:
    """Names that no corpus may have, participants listed twice, and people in two splits."""
    where = f"corpus source {source}"
    problems = []
    for p in participants:
        problems += name_problems({name: getattr(p, name) for name in (*NAMED, *TEXTS)}, f"{where}, {p.name}")
    return [*problems, *conflicts(participants, where)]


def _write_corpus(
    out: Path,
    manifest: Manifest,
    checked: Sequence[CheckedParticipant],
    defects: Sequence[Defect],
    labels: Mapping[str, LabelParams],
) -> int:
    """Write the whole corpus and remove other files; the number of participants with labels."""
    written = {
        one.participant.shard(out / label_folder(name)): (series, labels[name].classes)
        for one in checked
        for name, series in ((MAIN, one.labels), *one.also.items())
        if series is not None
    }
    for path, (series, classes) in written.items():
        write_labels(path, series, classes)
    manifest.write(out / "manifest.jsonl")
    write_report(out / "defects.json", defects)
    agreements = [path for name in labels for path in _write_agreement(out, checked, name)]
    prune(out, {out / "manifest.jsonl", out / "defects.json", *agreements, *written})
    return sum(one.participant.labelled for one in checked)


def _write_agreement(out: Path, checked: Sequence[CheckedParticipant], label: str) -> list[Path]:
    """Write and log Cohen's kappa between annotators in each corpus; the file, if there are two annotators anywhere."""
    by_corpus: dict[str, Any] = {}
    for one in checked:
        labels = one.also.get(label) if label else one.labels
        if labels is not None and labels.coders is not None:
            corpus = one.participant.corpus
            by_corpus[corpus] = by_corpus.get(corpus, 0) + labels.coders
    if not by_corpus:
        return []
    record = {
        corpus: {"kappa": kappa_of(counts), "frames": int(counts.sum()), "counts": counts.tolist()}
        for corpus, counts in by_corpus.items()
    }
    for corpus, row in record.items():
        kappa = "undefined" if row["kappa"] is None else f"{row['kappa']:.3f}"
        what = f"{corpus}, {label}" if label else corpus
        logger.info("%s: kappa between annotators %s over %d label frames", what, kappa, row["frames"])
    path = (out / label_folder(label) if label else out) / "agreement.json"
    replace_file(path, (json.dumps(record, indent=1) + "\n").encode())
    return [path]


def _log_defects(defects: list[Defect]) -> None:
    for defect in defects:
        logger.info("%s", defect)
    for kind, number in counts(defects).items():
        logger.info("%d × %s: %s", number, kind, KINDS[kind])


def write_labels(path: Path, labels: Labels, classes: Sequence[str] = ()) -> None:
    """Write the labels of a participant on the clock of the session, for `align`; `classes` names the numbers."""
    columns = {"value": pa.array(labels.value), "valid": pa.array(labels.valid)}
    named = {"classes": json.dumps(list(classes))} if classes else {}
    table = pa.table(columns, metadata={**named, "seal": BLANK_SEAL})
    with whole_file(path, sealed=True) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)
