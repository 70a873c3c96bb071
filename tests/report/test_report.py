"""Both stages on a finished results tree, and the page that comes out."""

import base64
import json
import re
import shutil
import xml.etree.ElementTree as ET
import zlib
from argparse import Namespace
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from damamba.console import InputError
from damamba.data.shards import Aligned
from damamba.report.timing import read_timing
from damamba.scoring.evaluate import write_scores
from damamba.scoring.participants import read_participants
from damamba.scoring.runs import RunResult
from damamba.scoring.series import read_series, worst_stretches
from stages import ablate, report
from tests.report.conftest import EVALUATE, METRICS, PARAMS_TEXT, RUNS

OPTIONS = Namespace(results=Path("results"), data=Path("data"))


def stages_run(finished, folder):
    """A folder in which `ablate` and `report` have run."""
    shutil.copytree(finished, folder)
    (folder / "params.yaml").write_text(PARAMS_TEXT)
    (folder / "results/figures").mkdir()
    (folder / "results/figures/timeline-noxi-gone.svg").write_text("of a session that is no more")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        ablate.main(OPTIONS)
        report.main(OPTIONS)
    return folder


@pytest.fixture(scope="module")
def reported(finished, tmp_path_factory):
    return stages_run(finished, tmp_path_factory.mktemp("reported") / "repo")


@pytest.fixture(scope="module")
def page(reported):
    return (reported / "results/report.html").read_text(encoding="utf8")


class Elements(HTMLParser):
    """Tags with their attributes, ids, and tags left open."""

    VOID = frozenset({"meta", "br", "path", "use", "rect", "line", "circle", "link", "img", "input", "hr"})

    def __init__(self):
        super().__init__()
        self.found, self.open = [], []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page_loads_nothing_from_anywhere(page):
    assert not re.search(r"https?://", page)
    assert not re.search(r"@import|url\((?!#)", page)
    parser = Elements()
    parser.feed(page)
    assert parser.open == []
    for tag, attributes in parser.found:
        assert tag not in ("link", "iframe", "object", "embed")
        assert "src" not in attributes
        for link in (attributes.get("href"), attributes.get("xlink:href")):
            assert link is None or link.startswith("#")


def test_ids_are_unique_and_every_link_has_its_target(page):
    parser = Elements()
    parser.feed(page)
    ids = [attributes["id"] for _, attributes in parser.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {a.get("href") or a.get("xlink:href") for _, a in parser.found} - {None}
    links |= {f"#{name}" for name in re.findall(r"url\(#([^)]+)\)", page)}
    assert {link.removeprefix("#") for link in links} <= set(ids)


def test_the_page_has_the_note_on_simulation_the_score_and_the_prohibition(page, reported):
    ccc = json.loads((reported / "results/ccc.json").read_text())
    assert "Simulated people." in page
    assert f"<dd>{ccc['variants']['da_mamba']['mean']['global']:.3f}</dd>" in page
    assert "5(1)(f)" in page
    for variant in ccc["variants"]:
        assert f"<code>{variant}</code>" in page
    assert "da_mamba − no_fusion" in page


def unpacked(text):
    """What `curves.js` makes of a packed series."""
    planes = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8).reshape(2, -1)
    steps = np.cumsum(planes[0].astype(np.int64) + 256 * planes[1].astype(np.int64)).astype(np.int16)
    return np.where(steps == -(2**15), np.nan, steps / 10_000)


def test_groups_and_warnings_stand_in_table_and_page(reported, page):
    table = (reported / "results/ccc.md").read_text()
    comparison = json.loads((reported / "results/ccc.json").read_text())
    assert list(comparison["by"]["group_size"]) == ["2", "3"]  # as of tests/params.yaml
    assert comparison["by"]["group_size"]["3"]["participants"] == 6
    assert "| 3 | `da_mamba` | 2 | 6 |" in table.split("## By group_size")[1]
    assert "By <code>group_size</code>" in page
    assert "CCC by session is the mean over sessions" in table
    assert "CCC by session is the mean over sessions" in page
    assert ("Read with care" in table) == ("Read with care" in page) == bool(comparison["warnings"])
    for line in comparison["warnings"]:
        assert f"- {line}\n" in table
        assert line in page


def test_the_page_holds_the_series_of_every_test_session(page, reported):
    data = json.loads(re.search(r'<script type="application/json" id="series">(.*?)</script>', page)[1])
    assert len(data["sessions"]) == 8
    participant = data["sessions"][0]["participants"][0]
    drawn = {curve["name"]: unpacked(curve["packed"]) for curve in participant["curves"]}
    path = reported / "data/predictions/da_mamba-0/mpiigi/001/p1.parquet"
    session = next(s for s in data["sessions"] if s["name"] == data["sessions"][0]["name"])
    own = next(iter(read_series(Aligned.read(reported / "data/aligned"), path.parents[2], "test"))).participants[0]
    assert session["participants"][0]["name"] == own.participant
    np.testing.assert_allclose(drawn["predicted"], own.prediction, atol=0.51e-4)
    np.testing.assert_allclose(drawn["annotated"], own.label, atol=0.51e-4)  # NaN where NaN
    assert np.isnan(drawn["annotated"]).any()
    assert set(participant["missing"]) == {"wav2vec2", "emotion", "clip", "flow", "landmark_flow"}


def test_the_longest_stretches_without_cues_stand_beside_the_health_of_the_data(page, reported):
    section = re.search(r'<section id="data">(.*?)</section>', page, re.DOTALL)[1]
    found = worst_stretches(Aligned.read(reported / "data/aligned"))
    assert section.count("<li>") == len(found) > 0
    assert f"({len(found)})" in section
    assert all(f", {one.participant}</span>" in section for one in found)
    assert "data:image" not in section  # no face of anybody is stored in the page


def test_one_figure_a_test_session_all_of_them_valid_and_no_stale_one(reported):
    figures = {path.name for path in (reported / "results/figures").iterdir()}
    assert len([name for name in figures if name.startswith("timeline-")]) == 8
    others = {"learning_curves.svg", "ccc.svg", "calibration.svg", "sessions.svg", "data_health.svg", "session.svg"}
    assert others <= figures
    assert len(figures) == 14
    for path in (reported / "results/figures").iterdir():
        assert ET.parse(path).getroot().tag.endswith("svg")


def test_a_second_run_writes_the_same_bytes(reported, monkeypatch):
    def state():
        paths = [*(reported / "results/figures").iterdir(), reported / "results/report.html"]
        return {path.name: path.read_bytes() for path in paths}

    before = state()
    monkeypatch.chdir(reported)
    report.main(OPTIONS)
    assert state() == before


def test_what_a_machine_decides_stands_apart_from_the_results(reported):
    run = json.loads((reported / "results/run.json").read_text())
    assert run["simulated"] is True
    assert run["versions"]["damamba"]
    assert set(run["cues"]) == {"wav2vec2", "emotion", "clip", "flow", "landmark_flow"}
    assert not {"machine", "seconds", "stages"} & run.keys()
    timing = json.loads((reported / "results/timing.json").read_text())
    assert timing["machine"]["cores"] >= 1
    assert list(timing["stages"])[:3] == ["simulate", "ingest", "track_faces"]
    assert timing["stages"]["train-da_mamba-0"] == {"seconds": 26.0, "peak_mib": 300, "worker_peak_mib": 500}
    assert timing["seconds"] == pytest.approx(sum(stage["seconds"] for stage in timing["stages"].values()))
    assert "**5 min 19 s** for all stages" in (reported / "results/timing.md").read_text()
    assert "| `train-da_mamba-0` | 26.0 s | 300 | 500 |" in (reported / "results/timing.md").read_text()


def test_timings_of_runs_and_cues_that_are_no_more_are_left_out(reported):
    timing = reported / "results/timing"
    stages = read_timing(timing, {"da_mamba-0"}, {"clip"})["stages"]
    assert [name for name in stages if "-" in name] == ["extract-clip", "train-da_mamba-0"]
    with pytest.raises(InputError, match="no stage has left a record"):
        read_timing(reported / "nowhere", RUNS, set())


def test_a_name_from_the_data_cannot_end_the_script_that_holds_it(finished, tmp_path):
    folder = tmp_path / "repo"
    shutil.copytree(finished, folder)
    (folder / "params.yaml").write_text(PARAMS_TEXT)
    hostile = "</script><script>alert(1)</script><!--"
    index = Aligned.read(folder / "data/aligned")
    replace(index, sessions=tuple(replace(session, language=hostile) for session in index.sessions)).write()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        ablate.main(OPTIONS)
        report.main(OPTIONS)
    page = (folder / "results/report.html").read_text(encoding="utf8")
    assert hostile not in page
    scripts = re.findall(r"<script.*?</script>", page, flags=re.DOTALL)
    assert len(scripts) == page.count("<script") == page.count("</script>") == 2
    data = json.loads(re.fullmatch(r"<script[^>]*>(.*)</script>", scripts[0], flags=re.DOTALL)[1])
    assert {session["language"] for session in data["sessions"]} == {hostile}


@pytest.mark.parametrize(
    ("gone", "command"),
    [
        ("results/curves/no_fusion-1.csv", "train@no_fusion-1"),
        ("results/sessions/transformer-0.csv", "evaluate@transformer-0"),
        ("results/ablation.md", "ablate"),
        ("results/memory.svg", "benchmark"),
        ("results/scores/no_fusion-0.json", "evaluate@no_fusion-0"),
        ("data/corpus/manifest.jsonl", "ingest"),
        ("data/predictions/da_mamba-0/mpiigi/001/p2.parquet", "evaluate@da_mamba-0"),
        ("data/aligned/index.json", "align"),
    ],
)
def test_what_is_missing_is_named_with_its_command(reported, tmp_path, monkeypatch, gone, command):
    shutil.copytree(reported, tmp_path / "repo")
    (tmp_path / "repo" / gone).unlink()
    monkeypatch.chdir(tmp_path / "repo")
    with pytest.raises(InputError, match=f"{Path(gone).name}: missing; make it: dvc repro .*{command}"):
        report.main(OPTIONS)


def test_a_damaged_curve_is_named(reported, tmp_path, monkeypatch):
    shutil.copytree(reported, tmp_path / "repo")
    (tmp_path / "repo/results/curves/da_mamba-0.csv").write_text("step,loss,ccc,val_ccc\n1,x,0,0\n")
    monkeypatch.chdir(tmp_path / "repo")
    with pytest.raises(InputError, match=r"da_mamba-0\.csv: could not convert"):
        report.main(OPTIONS)


def test_own_recordings_of_one_session_without_gaps_are_reported_too(finished, tmp_path):
    """One corpus of your own, one run, one session: no interval, no pair, and still a page."""
    folder = tmp_path / "repo"
    shutil.copytree(finished, folder)
    params = PARAMS_TEXT.replace("sources: [simulate]", "sources: [folder]")
    first, last = params.index("runs:"), params.index("\ntrain:")
    (folder / "params.yaml").write_text(f"{params[:first]}runs: [da_mamba-0]\n{params[last:]}")
    _keep_one_session(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(report, "face_pictures", None)  # faces of real people are not drawn
        ablate.main(OPTIONS)
        report.main(OPTIONS)
    page = (folder / "results/report.html").read_text(encoding="utf8")
    assert "Simulated people." not in page
    assert "Paired differences" not in page
    assert "SIMULATED" not in (folder / "results/ccc.md").read_text()


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "".join(text.splitlines(keepends=True)[:-1]),  # a copy that ended early
        lambda text: re.sub(r",(\d+\.\d+)\n", r",9\1\n", text, count=1),  # a moment
        lambda text: text.replace("noxi,", "mpiigi,", 1),
    ],
)
def test_rows_that_do_not_give_the_scores_are_refused(finished, tmp_path, damage):
    results = tmp_path / "results"
    shutil.copytree(finished / "results", results)
    RunResult.read(results, "da_mamba-0", {"da_mamba": {}}, METRICS)
    path = results / "sessions/da_mamba-0.csv"
    path.write_text(damage(path.read_text()))
    with pytest.raises(InputError, match=r"do not give the scores .*dvc repro -f evaluate@da_mamba-0"):
        RunResult.read(results, "da_mamba-0", {"da_mamba": {}}, METRICS)


def _keep_one_session(folder):
    results = folder / "results"
    kept = read_participants(results / "sessions/da_mamba-0.csv", METRICS, "da_mamba-0")[:2]
    write_scores(kept, EVALUATE, METRICS, "da_mamba-0", results, simulated=False)
    index = Aligned.read(folder / "data/aligned")
    replace(index, sessions=tuple(s for s in index.sessions if s.name in ("noxi/001", "noxi/005"))).write()
