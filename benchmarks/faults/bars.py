"""What the campaign must reach."""

from benchmarks.faults.pipeline import Outcome


def missed(seen: Outcome) -> list[str]:
    """A line for every bar that the parts in `seen` do not reach; parts that were not run are no bar."""
    problems = []
    for part in ("kills", "dvc_kills"):
        problems += [f"{part}: {row}" for row in seen.get(part, {}).get("each", []) if not row.endswith(": identical")]
    for part in ("bad_inputs", "bad_parameters"):
        problems += [f"{part}: {name}: {line}" for name, line in seen.get(part, {}).get("others", {}).items()]
    for kind, outcome in seen.get("disks", {}).get("kinds", {}).items():
        problems += [f"disks, {kind}: {stage}: {line}" for stage, line in outcome["others"].items()]
    for name, counts in seen.get("damage", {}).get("artefacts", {}).items():
        if counts.get("refused") != counts["trials"]:
            problems.append(f"damage: {name}: {counts}")
    for name, line in seen.get("commands", {}).get("cases", {}).items():
        if line != "one line":
            problems.append(f"commands: {name}: {line}")
    for name, outcome in seen.get("two_at_once", {}).get("cases", {}).items():
        if not outcome["one_refused"] or outcome["traceback"] or not outcome["identical"]:
            problems.append(f"two at once: {name}: {outcome}")
    return problems
