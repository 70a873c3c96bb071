"""The scan in training compared with the reference code of `mamba_ssm`, which also runs without its CUDA kernels.

    python benchmarks/references.py        # in the environment of CONTRIBUTING.md, "Conformance"

One thread, alternating calls in one run, medians of processor time. `selective_scan_ref` is that of Mamba-1, with a
state of 16 numbers per channel; the others have 64.
"""

import argparse
import importlib.util
import os
import sys
from functools import partial
from types import ModuleType

import torch

from damamba.benchmark.peers import BATCH, D_MODEL, DT_RANGE, EXPAND, FRAMES, interleaved, scan_inputs, training
from damamba.console import InputError, run_stage
from damamba.report.markdown import table
from damamba.scan import ssd_scan

D_STATE_1 = 16
CHUNKS = (32, 48, 96)  # it accepts only divisors of the length


def main(repeats: int) -> str:
    """Measure and print; returns the summary line."""
    if importlib.util.find_spec("mamba_ssm") is None:
        raise InputError('mamba_ssm is not installed here: see CONTRIBUTING.md, "Conformance", for its environment')
    if importlib.util.find_spec("selective_scan_cuda") is None:  # imported by the package, never called here
        sys.modules["selective_scan_cuda"] = ModuleType("selective_scan_cuda")
    if not torch.cuda.is_available():
        os.environ["TRITON_INTERPRET"] = "1"  # its modules define kernels on import
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
    seconds = interleaved(calls, repeats)
    rows = [[name, f"{1000 * taken:.1f}", f"{taken / seconds['ours']:.2f}"] for name, taken in seconds.items()]
    sys.stdout.write("\n".join([*table(["training", "ms", "times ours"], rows), "", ""]))
    return f"{BATCH} sequences of {FRAMES} frames, d_inner {channels}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="timed calls, after one that does not count")
    options = parser.parse_args()
    run_stage("references", partial(main, options.repeats), timed=False)
