"""A corpus without media: the streams are the true channels, in the formats of the release."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from damamba.config import LABEL_RATE_HZ, Params
from damamba.console import InputError
from damamba.corpus.manifest import Manifest
from damamba.corpus.manifest_csv import COLUMNS, read_csv
from damamba.corpus.ssi import write_stream
from damamba.extractors.official import Official, OfficialCueParams
from damamba.features.extractor import ExtractorInput
from damamba.ingest.run import ingest
from damamba_sim.behaviour.channels import STREAMS
from damamba_sim.corpora.manifest import write_manifest
from damamba_sim.corpora.sessions import plan_corpora
from damamba_sim.recording.session import SessionRecording, record
from tests.conftest import frozen_params, serially

NO_SESSIONS = {"train": 0, "val": 0, "test": 0}


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """Three sessions of 12 s, made without face model and voices; (params, recordings, participants)."""
    params = frozen_params()
    sessions = {
        "noxi": NO_SESSIONS | {"train": 1},
        "noxi_add": NO_SESSIONS | {"test": 1},
        "mpiigi": NO_SESSIONS | {"test": 1},
    }
    values = params.model_dump()
    values["simulate"] |= {"features_only": True, "minutes": 0.2, "sessions": sessions}
    params = Params.model_validate(values)
    plans = plan_corpora(params.simulate)
    recordings = [
        SessionRecording(plan, tmp_path / "data/raw", params.simulate, tmp_path / "no-such.task") for plan in plans
    ]
    for recording in recordings:
        record(recording)
    write_manifest(plans, tmp_path / "data/raw/manifest.csv", features_only=True)
    monkeypatch.chdir(tmp_path)  # the source `simulate` reads data/raw
    ingest(params.corpus, tmp_path / "corpus", serially)
    return params, recordings, Manifest.read(tmp_path / "corpus/manifest.jsonl").participants


def test_streams_are_the_true_channels(corpus):
    _, recordings, participants = corpus
    assert {p.corpus for p in participants} == {"noxi", "noxi_add", "mpiigi"}
    for recording in recordings:
        plan = recording.plan
        for member in plan.members:
            (participant,) = [p for p in participants if p.key == (plan.corpus, plan.session, member.participant)]
            truth = pq.read_table(recording.root / plan.truth_path(member.participant))
            for name, channels in STREAMS.items():
                stream = Official(OfficialCueParams(stream=name)).extract(ExtractorInput(participant))
                assert stream.rate_hz == LABEL_RATE_HZ
                assert stream.valid.all()
                for column, channel in enumerate(channels):
                    np.testing.assert_array_equal(stream.x[:, column], truth[channel].to_numpy())


def test_a_complete_session_is_kept_and_the_same_seed_gives_the_same_bytes(corpus, tmp_path):
    params, recordings, _ = corpus
    assert not record(recordings[0])
    again = SessionRecording(recordings[0].plan, tmp_path / "again", params.simulate, recordings[0].face_model)
    assert record(again)
    for one, other in zip(recordings[0].files(), again.files(), strict=True):
        if one.suffix != ".parquet":
            assert one.read_bytes() == other.read_bytes(), one
    media = [path for recording in recordings for path in recording.files() if path.suffix in (".mp4", ".wav")]
    assert media == []


@pytest.mark.parametrize(
    ("streams", "message"),
    [
        ("a.face.stream", None),
        ("gone.face.stream", "is not called a.NAME.stream"),
        ("a.gone.stream", "is missing"),
        ("a.broken.stream", "a.broken.stream"),
        ("../a.face.stream", "leads out of"),
        ("", "video is empty"),
    ],
)
def test_a_manifest_may_name_streams_in_place_of_media(tmp_path, streams, message):
    root = tmp_path / "own"
    root.mkdir()
    write_stream(root / "a.face.stream", np.zeros((100, 4), np.float32), 25.0)
    (root / "a.broken.stream").write_text("<not a header>")
    (tmp_path / "a.face.stream").write_text("outside")
    header = ",".join([*COLUMNS, "streams"])
    (root / "manifest.csv").write_text(f"{header}\ns,a,host,train,en,p,,,,{streams}\n")
    if message:
        with pytest.raises(InputError, match=message.replace(".", r"\.")):
            read_csv(root, "manifest.csv", "own")
    else:
        (participant,) = read_csv(root, "manifest.csv", "own")
        assert [(s.name, s.width, s.rate_hz, s.rows) for s in participant.streams] == [("face", 4, 25.0, 100)]
