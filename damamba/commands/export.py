"""`damamba export`: a trained model as an ONNX graph."""

import argparse
from pathlib import Path

from damamba.console import InputError
from damamba.predictor import SHIPPED


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "export",
        help="a trained model as an ONNX graph",
        description="Writes one file that runs in onnxruntime without PyTorch: whole sequences of any length and any "
        "number of people, or with --stream a causal model frame by frame. The file is compared with PyTorch before it "
        "is written. Its inputs are cues on the model's grid: docs/onnx.md.",
        epilog="example: damamba export data/models/da_mamba-0 da_mamba.onnx",
    )
    parser.add_argument("model", type=Path, metavar="DIR", nargs="?", default=SHIPPED, help="default: the shipped one")
    parser.add_argument("out", type=Path, metavar="OUT.onnx")
    parser.add_argument("--stream", type=int, metavar="N", help="frame by frame, for conversations of N people")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Export, compare, print.

    Raises:
        InputError: A package is missing, or the model cannot be exported.
    """
    from damamba.export import export_onnx  # loads torch

    if options.out.suffix != ".onnx":
        raise InputError(f"{options.out}: name a file that ends in .onnx")
    done = export_onnx(options.model, options.out, options.stream)
    print(
        f"{done.path}: {done.bytes / 1e6:.1f} MB, differs from PyTorch by {done.error:.0e} at most in {done.compared} "
        "frames"
    )
