"""`damamba plan`: what a run of the pipeline will cost, and what it lacks."""

import argparse
import json
from pathlib import Path
from typing import Any

from damamba.config import Params, split_run
from damamba.files import whole_file
from damamba.planning.workload import Workload, planned


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "plan",
        help="hours of media, disk, time, licences and what is missing, before any work",
        description="Estimates a run from scratch with the sources, cues and runs of params.yaml. Speeds and sizes are "
        "those of the last run in this folder; without one, those of a table measured on two cores. No media are "
        "decoded.",
        epilog="example: damamba plan --json plan.json",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the plan to FILE")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Plan and print; raises `InputError` where a source cannot be read."""
    from damamba.planning.plan import summary  # imports torch, which `damamba --help` need not wait for

    params = Params.load()
    plan = plan_of(params, planned(params.corpus, params.simulate, params.labels), Path())
    print("\n".join(summary(plan)))
    if options.json:
        with whole_file(options.json) as temporary:
            temporary.write_text(json.dumps(plan, indent=1, allow_nan=False) + "\n", encoding="utf8")


def plan_of(params: Params, work: Workload, root: Path) -> dict[str, Any]:
    """`make_plan` with the sections of `params`."""
    from damamba.planning.plan import make_plan

    return make_plan(
        work,
        root,
        faces=params.faces,
        extract=params.extract,
        cues=params.cues,
        align=params.align,
        window=params.window,
        models={name: params.variant(split_run(name, params.variants)[0]) for name in params.runs},
        train=params.train,
        evaluate=params.evaluate,
    )
