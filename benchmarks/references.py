"""The scan in training against the reference code of `mamba_ssm`, which runs where its CUDA kernels do not.

    python benchmarks/references.py        # in the environment of CONTRIBUTING.md, "Conformance"

One thread, one run, in turns, medians of processor time. `selective_scan_ref` is Mamba-1's, with its state of 16
numbers a channel; the others keep 64.
"""

import argparse
import importlib.util
import os
import sys
from types import ModuleType

import torch

from damamba.benchmark.speed import BATCH, D_MODEL, DT_RANGE, EXPAND, FRAMES, interleaved, scan_inputs, training
from damamba.console import InputError, run_stage
from damamba.report.markdown import table
from damamba.scan import ssd_scan

D_STATE_1 = 16
CHUNKS = (32, 48, 96)  # it takes divisors of the length alone


def main() -> str:
    """Measure and print; returns the summary line."""
    if importlib.util.find_spec("mamba_ssm") is None:
        raise InputError('mamba_ssm is not installed here: see CONTRIBUTING.md, "Conformance", for its environment')
    if importlib.util.find_spec("selective_scan_cuda") is None:  # wanted at import; never called here
        sys.modules["selective_scan_cuda"] = ModuleType("selective_scan_cuda")
    if not torch.cuda.is_available():
        os.environ["TRITON_INTERPRET"] = "1"  # its modules define kernels when imported
    from mamba_ssm.ops.selective_scan_interface import selective_scan_ref  # pyright: ignore[reportMissingImports]
    from mamba_ssm.ops.triton.ssd_combined import (  # pyright: ignore[reportMissingImports]
        ssd_chunk_scan_combined_ref,
    )

    torch.set_num_threads(1)
    inputs = scan_inputs()
    generator, channels = torch.Generator().manual_seed(0), EXPAND * D_MODEL
    low, high = DT_RANGE
    dt = low * (high / low) ** torch.rand(BATCH, channels, FRAMES, generator=generator)
    A = -torch.arange(1.0, D_STATE_1 + 1).repeat(channels, 1)
    x, B, C = (torch.randn(BATCH, width, FRAMES, generator=generator) for width in (channels, D_STATE_1, D_STATE_1))
    of_mamba_1 = [tensor.requires_grad_() for tensor in (x, dt, A, B, C)]
    calls = {
        "ours": training(ssd_scan, inputs),
        **{
            f"ssd_chunk_scan_combined_ref, chunks of {chunk}": training(
                lambda *tensors, chunk=chunk: ssd_chunk_scan_combined_ref(*tensors, chunk), inputs
            )
            for chunk in CHUNKS
        },
        "selective_scan_ref": training(selective_scan_ref, of_mamba_1),
    }
    seconds = interleaved(calls, options.repeats)
    rows = [[name, f"{1000 * taken:.1f}", f"{taken / seconds['ours']:.2f}"] for name, taken in seconds.items()]
    sys.stdout.write("\n".join([*table(["training", "ms", "times ours"], rows), "", ""]))
    return f"{BATCH} sequences of {FRAMES} frames, d_inner {channels}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="calls that are timed, after one that is not")
    options = parser.parse_args()
    run_stage("references", main, timed=False)
