"""Names from params.yaml reach no shell, and become no path before they have been checked."""

import yaml

from tests.dag import ROOT, call
from tests.test_pipeline import STAGES

SHELL = "da_mamba-0; touch x; echo x-0"


def project(folder, **changes):
    """A DVC project with our dvc.yaml and another params.yaml; the code is linked, the data are empty."""
    for name in ("stages", "damamba", "damamba_sim", "extensions"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())
    params = yaml.safe_load((ROOT / "tests/params.yaml").read_text()) | changes
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    for name in ("data/aligned", "docs"):
        (folder / name).mkdir(parents=True)
    (folder / "docs/page.md").write_text("kept")
    (folder / "data/checked.txt").write_text("")
    call(folder, "dvc", "init", "-q", "--no-scm")
    return folder


def test_a_shell_command_in_the_name_of_a_run_is_not_run(tmp_path):
    """The stage alone, as when all stages before it are up to date."""
    folder = project(tmp_path, runs=[SHELL])
    done = call(folder, "dvc", "repro", "--single-item", f"train@{SHELL}", check=False)
    assert "Running stage" in done.stdout  # the name got as far as the command
    assert done.returncode != 0
    assert "params.yaml: runs.0: String should match pattern" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (folder / "x").exists()


def test_a_name_that_leads_elsewhere_removes_nothing(tmp_path):
    """DVC removes the old outputs of a stage before it runs."""
    cue = {"group": "visual", "extractor": "clip", "reads": "faces"}
    folder = project(tmp_path, cues={"../../docs": cue})
    done = call(folder, "dvc", "repro", "check", "extract@../../docs", check=False)
    assert "Running stage 'extract" not in done.stdout
    assert "params.yaml: cues.../../docs.[key]: String should match pattern" in done.stderr
    assert "Traceback" not in done.stderr
    assert (folder / "docs/page.md").read_text() == "kept"


def test_stages_with_names_in_their_paths_wait_for_the_check():
    pipeline = {stage.name: stage for stage in STAGES if stage.folder == ROOT}
    named = [stage for stage in pipeline.values() if any("${key}" in str(o) or "${item}" in str(o) for o in stage.outs)]
    assert {stage.name for stage in named} == {"extract", "train", "evaluate"}
    for stage in named:
        models = "data/models/${item}" in stage.deps  # behind `train`
        assert models or "data/checked.txt" in stage.deps, stage.name
