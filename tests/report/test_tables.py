import csv
import json
from dataclasses import replace
from functools import cache

import numpy as np
import pyarrow.parquet as pq
import pytest

from damamba.console import InputError
from damamba.digits import rounded
from damamba.report.published import published
from damamba.report.tables import ablation_table, main_table, write_tables
from damamba.scoring.comparison import compare_runs
from damamba.scoring.runs import RunResult
from tests.conftest import frozen_params
from tests.report.conftest import EVALUATE, METRICS, RUNS

PARAMS = frozen_params()
MODELS = {name: PARAMS.variant(name) for name in PARAMS.variants}
CORPORA = ("noxi", "noxi_add", "mpiigi")


@pytest.fixture(scope="module")
def runs(finished):
    return [RunResult.read(finished / "results", name, PARAMS.variants, METRICS) for name in RUNS]


@pytest.fixture(scope="module")
def ccc(runs):
    return compare_runs(runs, EVALUATE, METRICS)


@cache
def series(finished, run, corpus, session):
    """All annotated frames of a session, from the predictions themselves."""
    paths = sorted((finished / "data/predictions" / run / corpus / session).glob("*.parquet"))
    tables = [pq.read_table(path) for path in paths]
    pred, label, valid = (
        np.concatenate([table[name].to_numpy() for table in tables]) for name in ("prediction", "label", "valid")
    )
    return np.float64(pred[valid]), np.float64(label[valid])


def lin(x, y):
    (vx, cxy), (_, vy) = np.cov(x, y, ddof=0)
    return 2 * cxy / (vx + vy + (x.mean() - y.mean()) ** 2)


def test_scores_of_a_run_pass_unchanged_and_global_is_the_mean_of_corpora(finished, ccc):
    for run in RUNS:
        assert ccc[run] == json.loads((finished / f"results/scores/{run}.json").read_text())
        assert ccc[run]["global"] == pytest.approx(np.mean([ccc[run][name] for name in CORPORA]), abs=1.1e-4)


def test_variants_are_means_over_seeds_with_their_spread(finished, ccc):
    row = ccc["variants"]["da_mamba"]
    names = ["001", "002", "003", "004"]
    parts = [[series(finished, f"da_mamba-{seed}", "noxi", session) for session in names] for seed in (0, 1)]
    seeds = [lin(*map(np.concatenate, zip(*part, strict=True))) for part in parts]
    assert row["seeds"] == [0, 1]
    assert row["mean"]["noxi"] == pytest.approx(np.mean(seeds), abs=1e-6)  # scores on file have four decimals only
    assert row["sd"]["noxi"] == pytest.approx(abs(seeds[0] - seeds[1]) / np.sqrt(2), abs=1e-6)
    assert [ccc[f"da_mamba-{seed}"]["noxi"] for seed in (0, 1)] == pytest.approx(seeds, abs=0.51e-4)
    assert ccc["variants"]["transformer"]["sd"]["noxi"] is None


def test_paired_differences_agree_with_resampling_the_predictions(finished, ccc):
    """The oracle pools frames of resampled sessions anew; its draws differ, so the ends agree only roughly."""
    row = ccc["paired"]["da_mamba - no_fusion"]["noxi"]
    names = ["001", "002", "003", "004"]

    def score(variant, sessions):
        parts = [[series(finished, f"{variant}-{seed}", "noxi", session) for session in sessions] for seed in (0, 1)]
        return np.mean([lin(*map(np.concatenate, zip(*part, strict=True))) for part in parts])

    assert row["difference"] == pytest.approx(score("da_mamba", names) - score("no_fusion", names), abs=1e-6)
    rng = np.random.default_rng(1)
    drawn = [score("da_mamba", d) - score("no_fusion", d) for d in rng.choice(names, (150, 4))]
    assert row["interval"] == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.03)


def test_every_other_variant_is_compared_with_the_full_model(ccc):
    others = [name for name in ccc["variants"] if name != "da_mamba"]
    assert list(ccc["paired"]) == [f"da_mamba - {name}" for name in others]
    for row in ccc["paired"].values():
        assert row["global"]["difference"] == pytest.approx(np.mean([row[name]["difference"] for name in CORPORA]))


def test_files_hold_the_comparison_and_the_note_on_simulation(runs, ccc, tmp_path):
    summary = write_tables(runs, EVALUATE, METRICS, MODELS, True, tmp_path)
    assert "8 runs of 6 variants" in summary
    assert json.loads((tmp_path / "ccc.json").read_text()) == rounded(ccc)
    rows = list(csv.DictReader((tmp_path / "ccc.csv").read_text().splitlines()))
    assert len(rows) == len(RUNS) * 4
    assert float(rows[0]["ccc"]) == ccc["da_mamba-0"]["noxi"]
    for name in ("ccc.md", "ablation.md"):
        assert "(SIMULATED people)" in (tmp_path / name).read_text().splitlines()[0]
    assert "SIMULATED" not in main_table(ccc, METRICS, False) + ablation_table(ccc, METRICS, MODELS, False)


def test_published_rows_stand_apart_below_and_are_marked_as_not_comparable(ccc):
    for page in (main_table(ccc, METRICS, True), ablation_table(ccc, METRICS, MODELS, True)):
        ours, theirs = page.split("## Published")
        assert "not comparable" in theirs
        assert "| ✓ | ✗ | ✓ | ✓ | 0.77 |" in theirs or "| DA-Mamba | 0.77 | 0.70 | 0.52 | 0.66 |" in theirs
        assert "| 0.77 |" not in ours
        assert "26cbf3c" in theirs
    for row in published()["ccc"]["rows"]:  # the printed Global is the mean of the printed corpora, to its two decimals
        assert row["global"] == pytest.approx(np.mean([row[name] for name in CORPORA]), abs=0.0101)


@pytest.mark.parametrize(
    ("variant", "ticks"),
    [
        ("da_mamba", "✓ | ✗ | ✓ | ✓"),
        ("no_modality_fusion", "✓ | ✗ | ✗ | ✓"),
        ("no_partner_fusion", "✓ | ✗ | ✓ | ✗"),
        ("no_fusion", "✓ | ✗ | ✗ | ✗"),
        ("transformer", "✗ | ✓ | ✓ | ✓"),
    ],
)
def test_ticks_follow_the_variants_parameters(ccc, variant, ticks):
    assert f"| `{variant}` | {ticks} |" in ablation_table(ccc, METRICS, MODELS, False)


def test_another_architecture_is_no_row_of_the_ablation(ccc):
    assert "| `no_fusion` |" not in ablation_table(ccc, METRICS, {**MODELS, "no_fusion": MODELS["dat"]}, False)


def test_a_run_without_scores_is_named_with_its_command(finished):
    with pytest.raises(
        InputError, match=r"scores/da_mamba-7\.json: missing; make it: dvc repro -f evaluate@da_mamba-7"
    ):
        RunResult.read(finished / "results", "da_mamba-7", PARAMS.variants, METRICS)


def test_runs_scored_on_different_sessions_are_refused(runs):
    fewer = replace(runs[1], participants=runs[1].participants[2:])
    with pytest.raises(InputError, match=r"da_mamba-1\.csv: scored on other frames than da_mamba-0 \(noxi/001\)"):
        compare_runs([runs[0], fewer], EVALUATE, METRICS)
    folded = replace(runs[1], scores={**runs[1].scores, "protocol": "fold 0 of 5, by person"})
    with pytest.raises(InputError, match="fold 0 of 5"):
        compare_runs([runs[0], folded], EVALUATE, METRICS)


def test_an_undefined_score_is_a_dash_and_spoils_no_other(runs):
    nothing = {"ccc": np.zeros(6), "ccc_within": np.zeros(4)}
    participants = [replace(p, moments=nothing) if p.corpus == "noxi" else p for p in runs[0].participants]
    scores = {**runs[0].scores, "noxi": None, "global": None}
    ccc = compare_runs([replace(runs[0], scores=scores, participants=tuple(participants)), runs[1]], EVALUATE, METRICS)
    row = ccc["variants"]["da_mamba"]
    assert row["mean"]["noxi"] is None
    assert row["sd"]["noxi"] is None
    assert row["mean"]["mpiigi"] is not None
    assert "| `da_mamba` | 2 | –" in main_table(ccc, METRICS, True)
