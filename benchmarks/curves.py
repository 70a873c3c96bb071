"""Memory and time of the models at the sizes of a preset, and at lengths that the demo has no time for.

    python benchmarks/curves.py paper --batch 64 --gib 19      # two hours; needs the memory of the largest row

The same measurement as stage `benchmark`, with the preset written over params.yaml, into benchmarks/<preset>/. The
speed of single layers does not depend on the preset; speed.py measures it.
"""

import argparse
import json
from pathlib import Path

import yaml

from damamba.benchmark.models import forms_to_measure
from damamba.benchmark.run import measure_models, step_costs
from damamba.benchmark.steps import StepCost
from damamba.config import Params, parse_section
from damamba.console import InputError, run_stage
from damamba.presets.apply import merged, preset_names, read_preset
from damamba.report.benchmark import memory_figure, memory_table, speed_table

RESULTS, TIMES = "benchmark.json", "speed.json"


def main() -> str:
    """Measure and write; returns the summary line."""
    arguments = read_arguments()
    lengths = {
        "frames": arguments.frames,
        "long_frames": arguments.long,
        "batch_windows": arguments.batch,
        "memory_limit_gib": arguments.gib,
    }
    preset = merged(read_preset(arguments.preset), {"benchmark": lengths})
    values = merged(yaml.safe_load(Path("params.yaml").read_text()), preset)
    params = parse_section(Params, values, f"params.yaml with preset {arguments.preset}")
    variants = {name: params.variant(name) for name in params.variants}
    folder = Path("benchmarks") / arguments.preset
    folder.mkdir(exist_ok=True)
    known: list[StepCost] = []
    if arguments.only:
        names = [form.name for form in forms_to_measure(variants, params.window.rate_hz)]
        if unknown := set(arguments.only) - set(names):
            raise InputError(f"--only: no model {', '.join(sorted(unknown))}; there are {', '.join(names)}")
        known = read_others(folder, arguments)
    results, times = measure_models(params.benchmark, params.window, params.losses, variants, arguments.repeats, known)
    (folder / RESULTS).write_text(json.dumps(results, indent=1) + "\n")
    (folder / TIMES).write_text(json.dumps(times, indent=1) + "\n")
    (folder / "memory.md").write_text(memory_table(results))
    (folder / "speed.md").write_text(speed_table(times))
    memory_figure(results, folder / "memory.svg")
    return f"{len(results['memory'])} configurations in {folder}"


def read_others(folder: Path, arguments: argparse.Namespace) -> list[StepCost]:
    """Earlier costs of all models except those to measure."""
    for path in (folder / RESULTS, folder / TIMES):
        if not path.is_file():
            raise InputError(f"{path} does not exist: --only replaces some models in the files of an earlier run")
    results = json.loads((folder / RESULTS).read_text())
    if results["memory_limit_gib"] != arguments.gib:
        raise InputError(f"{folder / RESULTS} was measured with --gib {results['memory_limit_gib']:g}; give the same")
    costs = step_costs(results, json.loads((folder / TIMES).read_text()))
    return [cost for cost in costs if cost.model not in arguments.only]


def read_arguments() -> argparse.Namespace:
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", choices=preset_names())
    parser.add_argument("--frames", type=int, nargs="+", default=[64, 96, 128, 192])
    parser.add_argument("--long", type=int, nargs="*", default=[384, 768, 1536, 3072, 6144, 12288])
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=0, help="timed steps after an untimed one; 0: one timed step")
    parser.add_argument("--only", nargs="+", metavar="MODEL", help="measure these rows again, and keep the others")
    parser.add_argument("--gib", type=float, default=8.0, help="memory that a step may take before it counts as out")
    return parser.parse_args()


if __name__ == "__main__":
    read_arguments()
    run_stage("curves", main, timed=False)
