"""The models that `damamba predict` and `damamba stream` take: a finished run -> damamba/predictor/checkpoints.

    cd studies/shipped-models && PYTHONPATH=../.. python ship.py da_mamba-0 offline
    cd studies/shipped-models && PYTHONPATH=../.. python ship.py da_mamba-0 causal      # after damamba preset causal

After a complete `dvc repro` in the repository. Copies the weights and writes the card with the figures of that run.
"""

import argparse
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from damamba.config import Params
from damamba.console import InputError, run_stage
from damamba.files import replace_file
from damamba.model.checkpoint import DESCRIPTION, WEIGHTS, read_checkpoint
from damamba.predictor.inputs import ModelInputs
from damamba.scoring.layout import of_metric
from damamba.scoring.reading import read_json

LIVE = "causal"
ROOT = Path("../..")
SHIPPED = ROOT / "damamba/predictor/checkpoints"
TITLES = {"ccc": "CCC", "ccc_within": "CCC within people"}


def card(name: str, run: str) -> str:
    """Model card in Markdown."""
    described, weights = read_checkpoint(ROOT / "data/models" / run)
    causal = bool(described.settings.get("causal"))
    if (name == LIVE) != causal:
        wanted = "be causal: damamba preset causal && dvc repro" if name == LIVE else "not be causal"
        raise InputError(f"{run}: the model {name} must {wanted}")
    if not described.extra["simulated"]:
        raise InputError(f"{run}: was trained on recordings of real people; this card is for simulated ones")
    scores = read_json(ROOT / "results/scores" / f"{run}.json", "dvc repro")
    simulated = Params.load(ROOT / "params.yaml").simulate
    share = weights.get("network_share")
    template = Environment(
        loader=FileSystemLoader("."), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).get_template("card.md.j2")
    return template.render(
        name=name,
        command="stream" if causal else "predict",
        delay=described.extra.get("delay"),
        run=run,
        described=described,
        size=sum(weight.numel() for weight in weights.values()),
        share=None if share is None else float(share),
        sources=ModelInputs.of(ROOT / "data/models" / run).sources,
        scores=[(title, of_metric(scores, metric)) for metric, title in TITLES.items()],
        trained=sum(getattr(simulated.sessions, corpus).train for corpus in ("noxi", "noxi_add", "mpiigi")),
        seconds=simulated.minutes * 60,
        seed=simulated.seed,
    )


def main() -> str:
    """Copy and write; the summary line."""
    source, out = ROOT / "data/models" / options.run, SHIPPED / options.name
    text = card(options.name, options.run)
    for file in (WEIGHTS, DESCRIPTION):
        replace_file(out / file, (source / file).read_bytes())
    replace_file(out / "README.md", f"{text}\n".encode())
    return f"{options.run} -> {out}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", metavar="VARIANT-SEED")
    parser.add_argument("name", help="folder below damamba/predictor/checkpoints")
    options = parser.parse_args()
    run_stage(f"ship-{options.name}", main, timed=False)
