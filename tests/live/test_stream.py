"""A stream over files is the offline causal pass over the same files, from pixel and sample to score."""

import numpy as np
import pytest

from damamba.live.conversation import Stream
from damamba.live.session import file_sources
from damamba.live.sources import Clock

pytestmark = pytest.mark.slow


def collected(stream):
    """Person -> (n,) engagement with NaN, and cue -> (n,) mask."""
    found = {name: ([], []) for name in stream.names}
    for scores in stream.scores():
        for one in scores:
            found[one.person][0].append(np.nan if one.engagement is None else one.engagement)
            found[one.person][1].append(one.observed)
    return {
        name: (np.array(x), {cue: np.array([each[cue] for each in seen]) for cue in seen[0]})
        for name, (x, seen) in found.items()
    }


def test_a_stream_over_files_is_the_offline_pass(predicted, videos):
    model, offline = predicted
    stream = Stream(model, file_sources(videos, []), [0, 1], Clock(live=False))
    live = collected(stream)
    assert list(live) == [one.participant for one in offline.participants] == ["expert", "novice"]
    for one in offline.participants:
        engagement, observed = live[one.participant]
        assert len(engagement) == 125
        np.testing.assert_allclose(engagement, one.engagement, atol=1e-4, equal_nan=True)
        assert np.nanstd(one.engagement) > 0.01  # what was compared moves
        for cue, seen in one.cues.items():
            np.testing.assert_array_equal(observed[cue], seen)
    assert stream.incomplete == stream.dropped == sum(person.dropped for person in stream.people) == 0
