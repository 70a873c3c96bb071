"""Run the campaign, or parts of it; writes ``results/reliability.json`` and ends with 1 where a bar is missed.

    python -m benchmarks.faults [--base FOLDER] [--parts kills disks …]

With ``--base FOLDER``, a repository in which `dvc repro` has run on the preset `smoke`, that run is spared. Everything
happens in temporary copies, with the default executor. Seeds are fixed; the moments of kills are shares of what a stage
took in the undisturbed run. Every part is written as soon as it has ended, and kills one by one: what stands in the
file from the same code, seed and sizes is kept, and the rest is run. The digits `code` name the code that a part ran.
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.faults.bars import missed
from benchmarks.faults.damage import commands, damage
from benchmarks.faults.disks import disks
from benchmarks.faults.inputs import bad_inputs, bad_parameters
from benchmarks.faults.pipeline import Outcome, code_of, finished
from benchmarks.faults.processes import kills, two_at_once
from damamba.files import replace_file

PARTS = (
    "bad_inputs", "bad_parameters", "damage", "commands", "disks", "two_at_once", "kills", "dvc_kills",
)  # fmt: skip


def main(options: argparse.Namespace) -> None:
    """Run the parts that were asked for and are not in the file yet."""
    seen: Outcome = json.loads(options.out.read_text(encoding="utf8")) if options.out.is_file() else {}
    with tempfile.TemporaryDirectory(dir=options.work) as name:
        work = Path(name).resolve()
        base = options.base.resolve() if options.base else finished(work / "base")
        code = code_of(base)

        def keep(part: str, outcome: Outcome, done: bool = True) -> None:
            seen[part] = {"code": code, "seed": options.seed, "done": done, **outcome}
            ordered = {part: seen[part] for part in PARTS if part in seen}
            replace_file(options.out, (json.dumps(ordered, indent=1, ensure_ascii=False) + "\n").encode())

        def killed(part: str, number: int, by_dvc: bool) -> Outcome:
            before = seen.get(part)
            mine = before if before and (before["code"], before["seed"]) == (code, options.seed) else None
            return kills(
                base, work, number, options.seed, by_dvc, before=mine, keep=lambda so_far: keep(part, so_far, False)
            )

        runs: dict[str, Callable[[], Outcome]] = {
            "bad_inputs": lambda: bad_inputs(work),
            "bad_parameters": lambda: bad_parameters(work),
            "damage": lambda: damage(base, work, options.trials, options.seed),
            "commands": lambda: commands(base, work),
            "disks": lambda: disks(base, work),
            "two_at_once": lambda: two_at_once(base, work),
            "kills": lambda: killed("kills", options.kills, False),
            "dvc_kills": lambda: killed("dvc_kills", options.dvc_kills, True),
        }
        for part in options.parts or PARTS:
            keep(part, runs[part]())
    print(f"-> {options.out}")
    problems = missed(seen)
    print("\n".join(problems) or "every bar is met")
    raise SystemExit(bool(problems))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, metavar="FOLDER", help="repository with a finished smoke run")
    parser.add_argument("--work", type=Path, metavar="FOLDER", help="where the copies lie: the disk of --base")
    parser.add_argument("--out", type=Path, default=Path("results/reliability.json"))
    parser.add_argument(
        "--parts", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help="of " + ", ".join(PARTS)
    )
    parser.add_argument("--kills", type=int, default=42)
    parser.add_argument("--dvc-kills", type=int, default=14)
    parser.add_argument("--trials", type=int, default=60, help="damages of every artefact")
    parser.add_argument("--seed", type=int, default=0)
    main(parser.parse_args())
