"""A corpus of others from its files to aligned shards: what happens at a time stays at that time."""

import csv
import shutil

import numpy as np
import pytest
import yaml

from damamba import cli
from damamba.config import LABEL_RATE_HZ, CorpusParams, LabelParams, LabelsParams, Params, parse_section
from damamba.corpus.manifest import Manifest
from damamba.corpus.protocol import apply_protocol
from damamba.data.align import align_all
from damamba.data.shards import Aligned
from damamba.extractors.stream import Stream
from damamba.features.extract import extract_all
from damamba.ingest.run import ingest
from tests.conftest import FROZEN_PARAMS, frozen_values, serially
from tests.importing.own_corpus import EARLY_S, GAP_S, GUESTS, LATE_S, LENGTH_S, SESSIONS, build, event_s

STREAMS = ("face", "heart", "voice")
MOOD = LabelParams(kind="ordinal", classes=("low", "high"))


@pytest.fixture(scope="module")
def aligned(tmp_path_factory):
    """The folder of the corpus after import, init, ingest, extract and align."""
    root = tmp_path_factory.mktemp("own")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        shutil.copy(FROZEN_PARAMS, "params.yaml")
        build(root)
        for command in (["import", *map(str, sorted(root.glob("raw/*/*.csv")))], ["init", "data/recordings"], ["plan"]):
            patch.setattr("sys.argv", ["damamba", *command])
            cli.main()
        _rate_mood(root / "data/recordings")
        params = Params.load()
        params = params.model_copy(update={"labels": LabelsParams(also={"mood": MOOD})})
        ingest(params.corpus, root / "data/corpus", serially, params.labels)
        manifest = Manifest.read(root / "data/corpus/manifest.jsonl")
        for name, cue in params.cues.items():
            settings = parse_section(Stream.Params, cue.settings(), name)
            extract_all(Stream, settings, manifest.participants, root / "data/features" / name, serially)
        folders = (root / "data/features", root / "data/corpus", root / "data/aligned")
        align_all(params.cues, params.align, "", manifest, *folders, serially, labels=params.labels)
    return root


def _rate_mood(root):
    """A second label, in a column of the manifest; p2 lacks it."""
    path = root / "manifest.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["label.mood"] = ""
        if row["participant"] in ("p1", "p3"):
            row["label.mood"] = f"{row['session']}/{row['participant']}.mood.csv"
            (root / row["label.mood"]).write_text(
                f"start;end;value\n2;{LENGTH_S / 2};low\n{LENGTH_S / 2};{LENGTH_S};high\n"
            )
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def seat(aligned, session, participant, stream):
    """(times, channel 0, mask) of a stream on the grid."""
    index = Aligned.read(aligned / "data/aligned")
    entry = next(one for one in index.sessions if one.session == session)
    x, valid = index.shard(entry, participant).read(stream, 0, round(LENGTH_S * LABEL_RATE_HZ))
    return np.arange(len(x)) / index.rate_hz, np.asarray(x)[:, 0].astype(float), np.asarray(valid)


def labels(aligned, session, participant):
    index = Aligned.read(aligned / "data/aligned")
    entry = next(one for one in index.sessions if one.session == session)
    return index.labels(entry, participant)


def test_import_writes_cues_that_the_pipeline_takes(aligned):
    values = yaml.safe_load((aligned / "params.yaml").read_text())
    assert set(values["cues"]) == set(STREAMS)
    assert values["corpus"]["sources"] == ["folder"]


@pytest.mark.parametrize("participant", ["tutor", *GUESTS])
@pytest.mark.parametrize(("stream", "step_s"), [("face", 1 / 30), ("voice", 0.1), ("heart", 1.1)])
def test_an_event_stands_within_half_a_row_of_its_time(aligned, participant, stream, step_s):
    for session in SESSIONS:
        t, x, valid = seat(aligned, session, participant, stream)
        before, after = t[valid & (x < 0.5)].max(), t[valid & (x > 0.5)].min()
        # interpolation crosses one half midway between the last row before the event and the first row after it
        assert abs((before + after) / 2 - event_s(session, participant)) <= step_s / 2 + 0.5 / LABEL_RATE_HZ


def test_a_late_guest_and_a_gap_are_missing_and_what_follows_stays_in_place(aligned):
    for session in SESSIONS:
        t, _, valid = seat(aligned, session, "p4", "face")
        assert not valid[t < LATE_S - 0.04].any()
        assert valid[(t > LATE_S) & (t < LENGTH_S - 0.04)].all()
        t, _, valid = seat(aligned, session, "p2", "face")
        assert not valid[(t > GAP_S[0] + 0.02) & (t < GAP_S[1] - 0.04)].any()
        assert valid[(t > GAP_S[1] + 0.02) & (t < LENGTH_S - 0.04)].all()


def test_irregular_rows_are_no_gaps(aligned):
    t, _, valid = seat(aligned, "s01", "p1", "heart")
    assert valid[(t > 1.1) & (t < LENGTH_S - 1.1)].all()


def test_an_early_end_of_labels_is_missing_labels_and_cuts_nothing(aligned):
    manifest = Manifest.read(aligned / "data/corpus/manifest.jsonl")
    assert {round(p.duration_s) for p in manifest.participants} == {round(LENGTH_S)}
    value, valid = labels(aligned, "s01", "p3")
    assert len(valid) == LENGTH_S * LABEL_RATE_HZ
    assert valid[: int(EARLY_S * LABEL_RATE_HZ)].all()
    assert not valid[int(EARLY_S * LABEL_RATE_HZ) :].any()
    edge = np.flatnonzero(np.diff((np.asarray(value) > 0.5).astype(int)))[0] + 1
    assert edge / LABEL_RATE_HZ == event_s("s01", "p3")  # ratings of 1 Hz stand at their seconds


def test_a_tutor_who_is_never_rated_may_be_in_every_split(aligned):
    manifest = Manifest.read(aligned / "data/corpus/manifest.jsonl")
    assert {p.split for p in manifest.participants if p.person == "tutor"} == {"train", "val", "test"}
    protocol = parse_section(CorpusParams, frozen_values()["corpus"], "corpus").protocol
    folded = apply_protocol(manifest.participants, protocol.model_copy(update={"folds": 3}))
    assert {p.split for p in folded} == {"train", "val", "test"}


def test_a_second_label_is_read_from_its_column_and_lacking_it_stays_lacking(aligned):
    index = Aligned.read(aligned / "data/aligned")
    assert index.also == {"mood": MOOD}
    mood, half = index.of_label("mood"), round(LENGTH_S / 2 * LABEL_RATE_HZ)
    assert (mood.annotated, mood.also, mood.reads) == (MOOD, {}, "mood")
    for session, other in zip(index.sessions, mood.sessions, strict=True):
        assert {seat.participant: seat.also for seat in session.seats if seat.also} == {
            "p1": ("mood",),
            "p3": ("mood",),
        }
        assert [seat.participant for seat in other.seats if seat.labelled] == ["p1", "p3"]
        value, valid = mood.labels(other, "p1")
        assert not valid[: 2 * LABEL_RATE_HZ].any()
        assert (value[2 * LABEL_RATE_HZ : half] == 0).all()
        assert (value[half : round(LENGTH_S * LABEL_RATE_HZ)] == 1).all()
        assert not mood.labels(other, "p2")[1].any()
        assert index.labels(session, "p2")[1].any()
