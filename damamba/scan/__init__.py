"""Selective scan of Mamba-2 (state-space duality, SSD): one operation, several backends, the same result.

    state_t = exp(dt_t A) state_{t-1} + dt_t x_t B_t'        y_t = state_t C_t + D x_t

Axes are written as words here, because the literature calls its matrices A, B, C and D:

| name | meaning |
|---|---|
| x (batch, length, heads, headdim) | input; a head is a block of `headdim` channels with one decay |
| dt (batch, length, heads) | step size, ≥ 0; at 0 the state stays unchanged and nothing is written |
| A (heads,) | decay rate, < 0 |
| B, C (batch, length, groups, d_state) | what is written to and read from the state, shared by the heads of a group |
| D (heads,) | skip |
| state (batch, heads, headdim, d_state) | memory |

`ssd_scan` runs whole sequences, `ssd_extend` the next frames of a stream, `ssd_step` one frame.

Source: Dao & Gu 2024, arXiv:2405.21060; names and shapes of `mamba_ssm.ops.triton.ssd_combined`.
"""

from damamba.scan.convolution import causal_conv
from damamba.scan.dispatch import ssd_extend, ssd_scan, ssd_step
from damamba.scan.gated_norm import gated_rms_norm
from damamba.scan.mixer import Mixing, mix

__all__ = ["Mixing", "causal_conv", "gated_rms_norm", "mix", "ssd_extend", "ssd_scan", "ssd_step"]
