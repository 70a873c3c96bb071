import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from damamba.data.windows import WindowGrid


@given(n=st.integers(1, 500), core=st.integers(1, 40), context=st.integers(0, 40))
def test_stitch_inverts_cutting(n, core, context):
    grid = WindowGrid(core, context, 25)
    series = np.arange(n)
    padded = np.concatenate([series, np.full(core, -1)])
    cores = np.stack([padded[start : start + core] for start in grid.starts(n)])
    np.testing.assert_array_equal(grid.stitch(cores, n), series)


@given(n=st.integers(1, 300), core=st.integers(1, 40), shift=st.integers(0, 39))
def test_every_label_is_in_exactly_one_core(n, core, shift):
    grid = WindowGrid(core, 8, 100)
    seen = np.zeros(n, int)
    for start in grid.starts(n, shift % core):
        seen[max(start, 0) : start + core] += 1
    assert (seen == 1).all()


def test_lengths():
    grid = WindowGrid(8, 8, 100)
    assert (grid.labels, grid.frames, grid.core_frames) == (24, 96, slice(32, 64))
    with pytest.raises(ValueError, match="expected"):
        grid.stitch(np.zeros((2, 7)), 16)
