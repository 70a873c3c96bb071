"""Every choice beside the default: results -> docs/open-choices.md. Rows that are not there yet are named."""

import json
from pathlib import Path
from typing import Any

import yaml
from choice import CORPUS, RESULTS

from damamba.config import Params
from damamba.console import run_stage
from damamba.report.markdown import table
from damamba.report.published import GLOBAL, corpus_title
from damamba.report.results import FULL_MODEL, RunResult
from damamba.report.tables import SIMULATED, gather, number, span

PAGE = Path("../../docs/open-choices.md")


def said(changes: dict[str, Any]) -> str:
    """`model.causal: true`, and so on."""
    return ", ".join(
        f"`{section}.{key}: {json.dumps(value)}`" for section, new in changes.items() for key, value in new.items()
    )


def rows_of(ccc: dict[str, Any], choices: dict[str, dict[str, Any]]) -> list[list[str]]:
    """A row a choice: scores, and its distance from the default."""
    names = [*ccc["sessions"], GLOBAL]
    rows = []
    for variant, held in ccc["variants"].items():
        sd = held["sd"][GLOBAL]
        scores = [number(held["mean"][name]) for name in names]
        scores[-1] += "" if sd is None else f" ± {sd:.3f}"
        paired = ccc["paired"].get(f"{FULL_MODEL} - {variant}", {}).get(GLOBAL)
        behind = f"{number(paired['difference'], True)} {span(paired['interval'], True)}" if paired else ""
        name = "as in the corpus study" if variant == FULL_MODEL else f"`{variant}`"
        rows.append([name, said(choices.get(variant, {})), str(len(held["seeds"])), *scores, behind])
    return rows


def main() -> str:
    """Gather and write; the summary line."""
    asked = yaml.safe_load(Path("choices.yaml").read_text(encoding="utf8"))
    choices, params = asked["choices"], Params.load(CORPUS / "params.yaml")
    wanted = [f"{choice}-{seed}" for choice in choices for seed in asked["seeds"]]
    there = [name for name in wanted if (RESULTS / "scores" / f"{name}.json").exists()]
    lacking = [name for name in wanted if name not in there]
    base = [RunResult.read(CORPUS / "results", f"{FULL_MODEL}-{seed}", {FULL_MODEL: {}}) for seed in asked["seeds"]]
    ccc = gather([*base, *(RunResult.read(RESULTS, name, choices) for name in there)], params.evaluate)
    titles = [corpus_title(name) for name in (*ccc["sessions"], GLOBAL)]
    text = [
        "# What the paper leaves open, tried on the built-in corpus (SIMULATED people)",
        "",
        "Written by `studies/open-choices/summary.py`; do not edit. One factor at a time, on the channels of "
        "[the corpus study](results.md), same steps and seeds. Differences are the default less the row, paired "
        f"bootstraps over sessions ({ccc['confidence']:.0%}), means over seeds; seeds are held fixed in them, so that "
        "what is smaller than the spread over seeds tells nothing.",
        "",
        SIMULATED,
        "",
        *table(["choice", "changes", "seeds", *titles, "default less it"], rows_of(ccc, choices)),
        *(["", f"Not trained yet: {', '.join(lacking)}."] if lacking else []),
    ]
    PAGE.write_text("\n".join(text) + "\n", encoding="utf8")
    return f"{len(there)} of {len(wanted)} runs"


if __name__ == "__main__":
    run_stage("summary", main)
