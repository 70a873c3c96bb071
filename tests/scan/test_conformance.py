"""Scan and block give the numbers of `mamba_ssm`, whose Triton kernels are interpreted where there is no GPU.

This needs an environment of its own (recipe in CONTRIBUTING.md). Skipped if `mamba_ssm` is not installed.
"""

import contextlib
import importlib.util
import os
import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch

from damamba.model.mamba import MambaBlock
from damamba.scan import cuda, ssd_extend
from damamba.scan.dispatch import step_size

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.skipif(importlib.util.find_spec("mamba_ssm") is None, reason="mamba_ssm is not installed"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]
TOLERANCE = 1e-5
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


@pytest.fixture(scope="module", autouse=True)
def _kernels_run_here():
    """On a CPU: use Triton's interpreter, and replace the calls to a GPU that the package makes around its kernels."""
    with pytest.MonkeyPatch.context() as patch:
        if (
            importlib.util.find_spec("selective_scan_cuda") is None
        ):  # of Mamba-1; __init__ imports it, nothing here calls it
            patch.setitem(sys.modules, "selective_scan_cuda", ModuleType("selective_scan_cuda"))
        if DEVICE == "cpu":
            patch.setitem(os.environ, "TRITON_INTERPRET", "1")
            import triton

            tuned = triton.autotune
            patch.setattr(triton, "autotune", lambda configs, key, **more: tuned(configs[:1], key, **more))
            patch.setattr(torch.cuda, "device", lambda index: contextlib.nullcontext())
            properties = SimpleNamespace(multi_processor_count=1)
            patch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
        else:
            patch.setattr(torch.backends.cuda.matmul, "allow_tf32", False)
        cuda.kernel.cache_clear()
        yield
    cuda.kernel.cache_clear()


def scan_inputs(length, groups, initial):
    generator = torch.Generator().manual_seed(length)

    def normal(*shape):
        return torch.randn(*shape, generator=generator)

    tensors = {
        "x": normal(2, length, 4, 16),
        "dt": normal(2, length, 4),
        "A": -1 - 15 * torch.rand(4, generator=generator),
        "B": normal(2, length, groups, 16),
        "C": normal(2, length, groups, 16),
        "D": normal(4),
        "dt_bias": normal(4) - 3,
    }
    if initial:
        tensors["initial_state"] = normal(2, 4, 16, 16)
    return {name: tensor.to(DEVICE).requires_grad_() for name, tensor in tensors.items()}


def results(scan, tensors):
    y, state = scan(tensors)
    generator = torch.Generator().manual_seed(0)
    weights = [torch.randn(t.shape, generator=generator).to(DEVICE) for t in (y, state)]
    grads = torch.autograd.grad((y * weights[0]).sum() + (state * weights[1]).sum(), list(tensors.values()))
    return dict(zip(("y", "final state", *tensors), (y, state, *grads), strict=True))


def worst(ours, theirs):
    """The largest relative error of all results, each relative to its largest number."""
    return max(((ours[k] - theirs[k]).abs().max() / theirs[k].abs().max()).item() for k in theirs)


@pytest.mark.parametrize(("length", "groups", "initial"), [(1, 1, True), (40, 1, False), (97, 2, True)])
def test_scan_equals_kernels_called_as_the_adapter_calls_them(length, groups, initial, record_property):
    tensors = scan_inputs(length, groups, initial)

    def ours(named):
        return ssd_extend(**named, dt_softplus=True, backend="torch")

    def theirs(named):
        return cuda.cuda_scan(
            *(named[key] for key in ("x", "dt", "A", "B", "C", "D", "dt_bias")),
            dt_softplus=True,
            dt_limit=(0.0, float("inf")),
            initial_state=named.get("initial_state"),
            return_final_state=True,
            chunk_size=32,
        )

    difference = worst(results(ours, tensors), results(theirs, tensors))
    record_property("difference", difference)
    assert difference <= TOLERANCE


def test_missing_frames_and_limits_work_alike():
    """In both, dt = 0 leaves the state unchanged and the clamp comes last."""
    named = {name: tensor.detach() for name, tensor in scan_inputs(50, 1, True).items()}
    named["dt"] = step_size(named["dt"], named.pop("dt_bias"), True, (0.0, float("inf")))
    named["dt"][:, 20:35] = 0
    for limit in ((0.0, float("inf")), (0.0, 0.05)):
        y, state = ssd_extend(**named, dt_limit=limit, backend="torch")
        theirs = cuda.cuda_scan(
            *(named[key] for key in ("x", "dt", "A", "B", "C", "D")),
            None,
            False,
            limit,
            named["initial_state"],
            True,
            32,
        )
        assert worst({"y": y, "state": state}, dict(zip(("y", "state"), theirs, strict=True))) <= TOLERANCE


def test_block_equals_their_module_with_the_same_state_dict(record_property):
    from mamba_ssm.modules.mamba2 import Mamba2  # pyright: ignore[reportMissingImports]

    torch.manual_seed(0)
    ours = MambaBlock(32, d_state=16, headdim=16).to(DEVICE)
    # the module's fused path needs causal-conv1d, which runs on CUDA only
    theirs = Mamba2(32, d_state=16, headdim=16, use_mem_eff_path=False, chunk_size=32).to(DEVICE)
    theirs.load_state_dict(ours.state_dict())
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 50, 32, device=DEVICE, requires_grad=True)
    weight = torch.randn(2, 50, 32, device=DEVICE)

    def outputs(module):
        y = module(x)
        named = dict(module.named_parameters())
        grads = torch.autograd.grad((y * weight).sum(), [x, *named.values()])
        return dict(zip(("y", "x", *named), (y, *grads), strict=True))

    difference = worst(outputs(ours), outputs(theirs))
    record_property("difference", difference)
    assert difference <= TOLERANCE
