import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from damamba.data.pooling import pool


@given(st.integers(1, 4), st.integers(0, 20))
def test_pooling_is_the_mean_of_the_valid_frames(factor, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((12, 2)).astype(np.float16)
    valid = rng.random(12) > 0.5
    x[~valid] = np.nan
    mean, seen = pool(x, valid, factor)
    for i in range(12 // factor):
        rows = slice(i * factor, (i + 1) * factor)
        assert seen[i] == valid[rows].any()
        expected = x[rows][valid[rows]].astype(np.float64).mean(0) if seen[i] else np.zeros(2)
        np.testing.assert_allclose(mean[i], expected, atol=1e-3)
