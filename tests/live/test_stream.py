"""A stream over files is the offline causal pass over the same files, from pixel and sample to score."""

import numpy as np
import pytest
import torch

from damamba.config import ModelParams
from damamba.live.conversation import CarriedModel, Stream
from damamba.live.session import file_sources
from damamba.live.sources import Clock
from damamba.model import build_model
from tests.conftest import frozen_params

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


@pytest.mark.parametrize("rate_hz", [25, 100])
def test_a_traced_step_is_the_models_own_for_every_target(rate_hz):
    widths = {"audio": {"wav2vec2": 3}, "visual": {"clip": 2}}
    settings = frozen_params().architectures["da_mamba"] | {"causal": True}
    params = ModelParams(architecture="da_mamba", cues=None, settings=settings, weights={})
    model = build_model(widths, params, rate_hz).eval()
    carried = CarriedModel(model, 3, [2, 0])
    rng, k = np.random.default_rng(0), rate_hz // 25

    def frames():
        return {c: (rng.normal(size=(k, w)).astype("f"), rng.random(k) < 0.7) for c, w in model.widths.items()}

    people = [[frames() for _ in "abc"] for _ in range(30)]
    found = np.array([carried.step(each) for each in people])
    for column, order in enumerate(([2, 0, 1], [0, 1, 2])):

        def series(cue, part, order=order):
            seats = [np.concatenate([at[seat][cue][part] for at in people]) for seat in order]
            return torch.from_numpy(np.stack(seats)[None])

        cues, valid = ({cue: series(cue, part) for cue in model.widths} for part in (0, 1))
        with torch.inference_mode():
            whole = model(cues, valid, torch.ones(1, 3, dtype=torch.bool)).engagement[0]
        np.testing.assert_allclose(found[:, column], whole.reshape(30, k).mean(1), atol=1e-5)
