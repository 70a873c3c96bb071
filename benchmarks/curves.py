"""Memory and time of the models at the sizes of a preset and at lengths that the demo has no time for.

    python benchmarks/curves.py paper --batch 64 --gib 19      # an hour; memory for the largest row must be there

The same measurement as stage `benchmark`, with `params.yaml` and a preset over it, into benchmarks/<preset>/. The speed
of a layer depends on no preset: speed.py measures it.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import yaml

from damamba.benchmark import sizes
from damamba.benchmark.memory import KINDS, Row
from damamba.config import Params, parse_section
from damamba.console import InputError, run_stage
from damamba.report.benchmark import memory_figure, memory_table

PRESETS = Path("damamba/presets")


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`base` with the keys of `over`, section by section."""
    both = {key: merged(base[key], over[key]) for key in base.keys() & over.keys() if isinstance(over[key], dict)}
    return {**base, **over, **both}


def main() -> str:
    """Measure and write; returns the summary line."""
    arguments = read_arguments()
    chosen = yaml.safe_load((PRESETS / f"{arguments.preset}.yaml").read_text())
    lengths = {
        "frames": arguments.frames,
        "long_frames": arguments.long,
        "batch_windows": arguments.batch,
        "memory_limit_gib": arguments.gib,
    }
    values = merged(merged(yaml.safe_load(Path("params.yaml").read_text()), chosen), {"benchmark": lengths})
    params = parse_section(Params, values, f"params.yaml with preset {arguments.preset}")
    variants = {name: params.variant(name) for name in params.variants}
    folder = Path("benchmarks") / arguments.preset
    folder.mkdir(exist_ok=True)
    known = read_others(folder / "benchmark.json", arguments) if arguments.only else []
    measured = sizes(params.benchmark, params.window, variants, arguments.repeats, known)
    (folder / "benchmark.json").write_text(json.dumps(measured, indent=1) + "\n")
    (folder / "memory.md").write_text(memory_table(measured))
    memory_figure(measured, folder / "memory.svg")
    return f"{len(measured['memory'])} configurations in {folder}"


def read_others(path: Path, arguments: argparse.Namespace) -> list[Row]:
    """The rows of all models but those to measure."""
    if not path.is_file():
        raise InputError(f"{path} is not there: --only measures some models again, beside the others of that file")
    measured = json.loads(path.read_text())
    if measured["memory_limit_gib"] != arguments.gib:
        raise InputError(f"{path} was measured with --gib {measured['memory_limit_gib']:g}; give the same")
    return [row for row in (Row(**values) for values in measured["memory"]) if row.model not in arguments.only]


def read_arguments() -> argparse.Namespace:
    """Of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", choices=sorted(path.stem for path in PRESETS.glob("*.yaml")))
    parser.add_argument("--frames", type=int, nargs="+", default=[64, 96, 128, 192])
    parser.add_argument("--long", type=int, nargs="*", default=[384, 768, 1536, 3072, 6144, 12288])
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=0, help="steps that are timed, after the first; 0: the first is")
    models = [kind.name for kind in KINDS]
    parser.add_argument("--only", nargs="+", choices=models, help="measure these again, beside the others of the file")
    parser.add_argument("--gib", type=float, default=8.0, help="what a step may take; more is out of memory")
    return parser.parse_args()


if __name__ == "__main__":
    read_arguments()
    run_stage("curves", main, timed=False)
