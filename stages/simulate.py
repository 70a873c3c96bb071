"""Stage simulate: params.yaml -> data/raw: the built-in corpora as the challenge releases them, and their truth."""

import argparse
from pathlib import Path

from damamba.config import Params
from damamba.console import run_stage
from damamba.features.executor import run_all
from damamba.features.files import prune
from damamba.simulate.corpora import plan_corpora, write_manifest
from damamba.simulate.mesh import read_canonical
from damamba.simulate.recording import Recording, film, record

RAW = Path("data/raw")


def main() -> str:
    params = Params.load()
    if "simulate" not in params.corpus.sources:
        RAW.mkdir(parents=True, exist_ok=True)
        return "not asked for: corpus.sources does not list it"
    face_model = Path(params.faces.model)
    read_canonical(face_model)  # a missing model shall stop us before any work
    plans = plan_corpora(params.simulate)
    recordings = [Recording(plan, RAW, params.simulate, face_model) for plan in plans]
    prune(RAW, {path for recording in recordings for path in recording.files()})
    jobs, kind = params.extract.jobs, params.extract.executor
    recorded = run_all(record, recordings, jobs, kind, "speech")
    filmed = run_all(film, [(r, member) for r in recordings for member in r.plan.members], jobs, kind, "video")
    write_manifest(plans, RAW / "manifest.csv")
    minutes = params.simulate.minutes * len(filmed)
    return (
        f"{len(plans)} sessions ({sum(recorded)} made), {len(filmed)} participants ({sum(filmed)} filmed), "
        f"{minutes:.1f} min of video"
    )


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    run_stage("simulate", main)
