"""What is learnt comes from the training split alone, and a shard is made again when a stream of it has changed."""

from dataclasses import replace

import numpy as np
import pytest

from damamba.config import AlignParams, CueParams
from damamba.corpus.manifest import Manifest, Participant
from damamba.data.align import align_all
from damamba.data.shards import Aligned
from damamba.streams.store import write_stream
from damamba.streams.stream import FeatureStream
from tests.conftest import serially

LEVELS = {"train": 1.0, "val": 5.0, "test": -3.0}
"""Mean of the cue in the session of each split."""
CUES = {"a": CueParams(group="audio", extractor="test", reads="corpus")}
PEOPLE = [Participant("own", split, "p", split, split, "en", "p", "", "", "", duration_s=2.0) for split in LEVELS]


def write(features, person, level, key="first"):
    t_s = np.arange(50) / 25
    x = (level + np.sin(t_s)[:, None] * [1.0, 2.0]).astype(np.float32)
    valid = np.ones(50, bool)
    stream = FeatureStream(t_s, x, valid, valid.astype(np.float32), 25.0, ("0", "1"), "test")
    write_stream(person.shard(features / "a"), replace(stream, key=key))
    return x


@pytest.fixture
def align(tmp_path):
    """Streams of three sessions, one a split; calling it aligns them: (index, summary)."""
    for person in PEOPLE:
        write(tmp_path / "features", person, LEVELS[person.split])

    def run() -> tuple[Aligned, str]:
        grid = AlignParams(rate_hz=25, max_gap_s=0.2)
        folders = tmp_path / "features", tmp_path / "corpus", tmp_path / "out"
        summary = align_all(CUES, grid, "as given", Manifest(tuple(PEOPLE)), *folders, serially)
        return Aligned.read(tmp_path / "out"), summary

    return run


def test_statistics_are_those_of_the_training_split(tmp_path, align):
    index, _ = align()
    mean, std = index.statistics()["a"]
    (training,) = (person for person in PEOPLE if person.split == "train")
    x = write(tmp_path / "other", training, LEVELS["train"])
    np.testing.assert_allclose(mean, x.mean(0), atol=2e-3)  # shards hold halves
    np.testing.assert_allclose(std, x.std(0), atol=2e-3)
    before = mean.copy()
    for person in PEOPLE:
        if person.split != "train":
            write(tmp_path / "features", person, 100.0, key="second")
    np.testing.assert_array_equal(align()[0].statistics()["a"][0], before)


def test_a_shard_is_made_again_when_its_stream_has_another_key(tmp_path, align):
    first, _ = align()
    assert "(3 participants kept)" in align()[1]
    changed = PEOPLE[2]
    write(tmp_path / "features", changed, 7.0, key="second")  # and a wave of mean 1
    index, summary = align()
    assert "(2 participants kept)" in summary
    session = next(s for s in index.sessions if s.session == changed.session)
    values, valid = index.shard(session, "p").read("a", 0, 50)
    assert values[valid].mean() == pytest.approx(8.0, abs=0.2)
    name = f"own/{changed.session}/p.arrow"
    assert index.sha256[name] != first.sha256[name]
