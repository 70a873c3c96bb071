"""Stage rendering: data/raw, data/faces -> results/rendering.json, results/rendering: what media keep of the truth."""

import _root

import argparse
import json
from pathlib import Path

from damamba.config import Params
from damamba.console import run_stage
from damamba.executor import run_all
from damamba.files import replace_file
from damamba_sim.corpora.sessions import plan_corpora
from damamba_sim.rendering.comparison import compare, rendering_results
from damamba_sim.rendering.participants import filmed_participants
from damamba_sim.rendering.pictures import contact_sheet, spectrogram

RAW, FACES = Path("data/raw"), Path("data/faces")
RESULTS, PICTURES = Path("results/rendering.json"), Path("results/rendering")


def main() -> str:
    params = Params.load()
    filmed = "simulate" in params.corpus.sources and not params.simulate.features_only
    plans = plan_corpora(params.simulate) if filmed else []
    participants = filmed_participants(plans, RAW, FACES)
    comparisons = run_all(compare, participants, params.extract.jobs, params.extract.executor, "rendering")
    replace_file(RESULTS, (json.dumps(rendering_results(comparisons), indent=1) + "\n").encode())
    PICTURES.mkdir(parents=True, exist_ok=True)
    if not filmed:
        return "nothing to compare: corpus.sources or simulate.features_only leave the corpus without simulated media"
    contact_sheet(participants, PICTURES / "contact-sheet.jpg")
    spectrogram(filmed_participants(plans[:1], RAW, FACES), PICTURES / "spectrogram.png")
    return f"{len(comparisons)} participants -> {RESULTS}, pictures in {PICTURES}"


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    run_stage("rendering", main)
