"""Stage rendering: data/raw, data/faces -> results/rendering.json, results/media: what media keep of the truth."""

import _root

import argparse
import json
from pathlib import Path

from damamba.config import Params
from damamba.console import run_stage
from damamba.executor import run_all
from damamba.files import whole_file
from damamba_sim.corpora import SessionPlan, plan_corpora
from damamba_sim.rendering.comparison import Take, fidelity, observe
from damamba_sim.rendering.pictures import Seat, contact_sheet, spectrogram

RAW, FACES = Path("data/raw"), Path("data/faces")
OUT, PICTURES = Path("results/rendering.json"), Path("results/media")


def main() -> str:
    params = Params.load()
    filmed = "simulate" in params.corpus.sources and not params.simulate.features_only
    plans = plan_corpora(params.simulate) if filmed else []
    takes = [take for plan in plans for take in takes_of(plan)]
    observed = run_all(observe, takes, params.extract.jobs, params.extract.executor, "rendering")
    with whole_file(OUT) as temporary:
        temporary.write_text(json.dumps(fidelity(observed), indent=1) + "\n", encoding="utf8")
    PICTURES.mkdir(parents=True, exist_ok=True)
    if not filmed:
        return "nobody was filmed, as corpus.sources and simulate.features_only have it"
    contact_sheet([seat for plan in plans for seat in seats_of(plan)], PICTURES / "contact-sheet.jpg")
    spectrogram(seats_of(plans[0]), PICTURES / "spectrogram.png")
    return f"{len(observed)} participants -> {OUT}, pictures in {PICTURES}"


def takes_of(plan: SessionPlan) -> list[Take]:
    truth = [RAW / "truth" / plan.name / f"{member.participant}.parquet" for member in plan.members]
    return [
        Take(
            corpus=plan.corpus,
            name=f"{plan.name}/{member.participant}",
            truth=path,
            track=FACES / plan.name / f"{member.participant}.parquet",
            sound=RAW / plan.path(member.participant, "audio.wav"),
            others=tuple(other for other in truth if other != path) if plan.shared_microphone else (),
        )
        for member, path in zip(plan.members, truth, strict=True)
    ]


def seats_of(plan: SessionPlan) -> list[Seat]:
    return [
        Seat(
            member.participant,
            RAW / "truth" / plan.name / f"{member.participant}.parquet",
            RAW / plan.path(member.participant, "video.mp4"),
            RAW / plan.path(member.participant, "audio.wav"),
        )
        for member in plan.members
    ]


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    run_stage("rendering", main)
