"""A corpus without media: what a model is given are the very channels of behaviour, in the release's formats."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from damamba.config import LABEL_RATE_HZ, Params
from damamba.console import InputError
from damamba.corpus.manifest import COLUMNS, Manifest, read_csv
from damamba.corpus.ssi import write_stream
from damamba.extractors.official import Official, OfficialCueParams
from damamba.features.extractor import ExtractorInput
from damamba.ingest.ingest import ingest
from damamba_sim.behaviour.channels import STREAMS
from damamba_sim.corpora import plan_corpora, write_manifest
from damamba_sim.recording import Recording, record
from tests.conftest import serially

NOBODY = {"train": 0, "val": 0, "test": 0}


@pytest.fixture
def corpus(tmp_path):
    """Three sessions of 12 s, no face model and no voices at hand; (params, recordings, participants)."""
    params = Params.load()
    sessions = {"noxi": NOBODY | {"train": 1}, "noxi_add": NOBODY | {"test": 1}, "mpiigi": NOBODY | {"test": 1}}
    values = params.model_dump()
    values["simulate"] |= {"features_only": True, "minutes": 0.2, "law": "full", "sessions": sessions}
    params = Params.model_validate(values)
    plans = plan_corpora(params.simulate)
    recordings = [Recording(plan, tmp_path / "raw", params.simulate, tmp_path / "no-such.task") for plan in plans]
    for recording in recordings:
        record(recording)
    write_manifest(plans, tmp_path / "raw/manifest.csv", features_only=True)
    ingest(params, tmp_path / "raw", tmp_path / "corpus", serially)
    return params, recordings, Manifest.read(tmp_path / "corpus/manifest.jsonl").participants


def test_streams_are_the_true_channels(corpus):
    _, recordings, participants = corpus
    assert {p.corpus for p in participants} == {"noxi", "noxi_add", "mpiigi"}
    for recording in recordings:
        plan = recording.plan
        for member in plan.members:
            (who,) = [p for p in participants if p.key == (plan.corpus, plan.session, member.participant)]
            truth = pq.read_table(recording.truth / f"{member.participant}.parquet")
            for name, channels in STREAMS.items():
                found = Official(OfficialCueParams(stream=name)).extract(ExtractorInput(who))
                assert found.rate_hz == LABEL_RATE_HZ
                assert found.valid.all()
                for column, channel in enumerate(channels):
                    np.testing.assert_array_equal(found.x[:, column], truth[channel].to_numpy())


def test_a_session_that_is_there_is_kept_and_the_same_seed_gives_the_same_bytes(corpus, tmp_path):
    params, recordings, _ = corpus
    assert not record(recordings[0])
    again = Recording(recordings[0].plan, tmp_path / "again", params.simulate, recordings[0].face_model)
    assert record(again)
    for one, other in zip(recordings[0].files(), again.files(), strict=True):
        if one.suffix != ".parquet":
            assert one.read_bytes() == other.read_bytes(), one
    media = [path for recording in recordings for path in recording.files() if path.suffix in (".mp4", ".wav")]
    assert media == []


@pytest.mark.parametrize(
    ("streams", "said"),
    [
        ("a.face.stream", None),
        ("gone.face.stream", "is not called a.NAME.stream"),
        ("a.gone.stream", "is missing"),
        ("a.broken.stream", "a.broken.stream"),
        ("../a.face.stream", "leads out of"),
        ("", "video is empty"),
    ],
)
def test_a_manifest_may_name_streams_in_place_of_media(tmp_path, streams, said):
    root = tmp_path / "own"
    root.mkdir()
    write_stream(root / "a.face.stream", np.zeros((100, 4), np.float32), 25.0)
    (root / "a.broken.stream").write_text("<not a header>")
    (tmp_path / "a.face.stream").write_text("outside")
    header = ",".join([*COLUMNS, "streams"])
    (root / "manifest.csv").write_text(f"{header}\ns,a,host,train,en,p,,,,{streams}\n")
    if said:
        with pytest.raises(InputError, match=said.replace(".", r"\.")):
            read_csv(root, "manifest.csv", "own")
    else:
        (found,) = read_csv(root, "manifest.csv", "own")
        assert [(s.name, s.width, s.rate_hz, s.rows) for s in found.streams] == [("face", 4, 25.0, 100)]
