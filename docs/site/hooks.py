"""What the site has beside the pages of ``docs``: README, command line and Python reference, from their sources."""

import argparse
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

from damamba.cli import COMMANDS

ROOT = Path(__file__).parents[2]
PICTURE = re.compile(r"""(?:src="|srcset="|!\[[^]]*\]\()([\w/.-]+\.(?:svg|png))""")
REFERENCE = {
    "From videos": [
        "predictor.run.predict",
        "predictor.result.Prediction",
        "predictor.result.ParticipantPrediction",
        "predictor.cues.extract",
        "predictor.cues.Extraction",
        "predictor.cues.CueOfPerson",
        "predictor.load.load",
        "export.export_onnx",
    ],
    "Models": ["model.base.EngagementModel", "model.base.Output", "model.architectures.da_mamba.DAMamba"],
    "The scan": ["scan.dispatch.ssd_scan", "scan.dispatch.ssd_extend", "scan.dispatch.ssd_step"],
    "Parts of your own": [
        "features.extractor.Extractor",
        "features.extractor.ExtractorInput",
        "losses.base.Loss",
        "metrics.base.Metric",
        "ingest.sources.base.Source",
    ],
    "Streams": ["streams.stream.FeatureStream", "streams.reader.read_stream"],
}
"""Heading -> objects, by their place in the package."""


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are made from other files."""
    made = {"index.md": _readme(), "cli.md": _command_line(), "api.md": _reference()}
    for name, content in made.items():
        files.append(File.generated(config, name, content=content))
    for picture in PICTURE.findall(made["index.md"]):
        files.append(File.generated(config, picture, abs_src_path=str(ROOT / picture)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Links to files of the repository become their names, since the site has no such files."""
    return re.sub(r"\[([^]]*)\]\((?:\.\./)+(?!docs/)[^)]*\)", r"\1", markdown)


def _readme() -> str:
    """With its links into ``docs`` as links of the site, and the others as names."""
    text = (ROOT / "README.md").read_text(encoding="utf8")
    text = re.sub(r"\]\(docs/([^)]*)\)", r"](\1)", text)
    pages = "|".join(re.escape(page.name) for page in (ROOT / "docs").glob("*.md"))
    text = re.sub(rf"(?<!!)\[([^]]*)\]\((?!https?:|#|(?:{pages})(?:#|\)))[^)]*\)", r"\1", text)
    return text


def _command_line() -> str:
    parser = argparse.ArgumentParser(prog="damamba")
    commands = parser.add_subparsers()
    for command in COMMANDS:
        command.add(commands)
    parts = ["# Command line\n"]
    for name, command in commands.choices.items():
        text = re.sub(r"\x1b\[[\d;]*m", "", command.format_help())
        parts.append(f"## damamba {name}\n```text\n{text}```\n")
    return "\n".join(parts)


def _reference() -> str:
    parts = ["# Python\n"]
    for heading, names in REFERENCE.items():
        parts += [f"## {heading}\n", *(f"::: damamba.{name}\n" for name in names)]
    return "\n".join(parts)
