"""Stage simulate: params.yaml -> data/raw: the built-in corpora as the challenge releases them, and their truth."""

import _root

import argparse
from pathlib import Path

from damamba.config import Params
from damamba.console import run_stage
from damamba.executor import run_all
from damamba.files import prune
from damamba_sim.corpora.manifest import write_manifest
from damamba_sim.corpora.sessions import plan_corpora
from damamba_sim.recording.equipment import check_equipment
from damamba_sim.recording.session import SessionRecording, film, record

RAW = Path("data/raw")


def main() -> str:
    params = Params.load()
    if "simulate" not in params.corpus.sources:
        RAW.mkdir(parents=True, exist_ok=True)
        return "not used: corpus.sources does not list it"
    face_model, features_only = Path(params.faces.model), params.simulate.features_only
    plans = plan_corpora(params.simulate)
    if not features_only:
        check_equipment(params.simulate, face_model, {plan.language for plan in plans})
    recordings = [SessionRecording(plan, RAW, params.simulate, face_model) for plan in plans]
    prune(RAW, {path for recording in recordings for path in recording.files()})
    jobs, kind = params.extract.jobs, params.extract.executor
    recorded = run_all(record, recordings, jobs, kind, "behaviour" if features_only else "speech")
    people = [(recording, member) for recording in recordings for member in recording.plan.members]
    filmed = [] if features_only else run_all(film, people, jobs, kind, "video")
    write_manifest(plans, RAW / "manifest.csv", features_only)
    made = "no video" if features_only else f"{sum(filmed)} filmed"
    return (
        f"{len(plans)} sessions ({sum(recorded)} made), {len(people)} participants ({made}), "
        f"{params.simulate.minutes * len(people):.1f} min"
    )


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    run_stage("simulate", main)
