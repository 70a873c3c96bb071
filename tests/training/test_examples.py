"""All training windows in order: every label once, at any rate, and folds that keep sessions whole."""

import numpy as np
import pytest
import torch

from damamba.data.batch import TrainingWindows, Window, WindowReader
from damamba.data.windows import WindowGrid
from damamba.training.examples import FOLDS, TrainingExamples


def examples(aligned, sessions, rate_hz):
    grid = WindowGrid(30, 10, rate_hz)
    return TrainingExamples(WindowReader(aligned, grid), TrainingWindows(sessions, grid, 0).targets)


@pytest.mark.parametrize("rate_hz", [5, 25, 50])
def test_every_label_is_there_once(aligned, rate_hz):
    found = examples(aligned, aligned.split("train"), rate_hz)
    labels = torch.cat([batch.label[batch.label_valid] for batch in found])
    expected = []
    for session, seat in found.targets:
        value, valid = aligned.labels(session, session.seats[seat].participant)
        if rate_hz == 5:  # the mean of the valid ones of five
            value, valid = (np.where(valid, value, 0).reshape(-1, 5).sum(1), valid.reshape(-1, 5).sum(1))
            value = value / np.maximum(valid, 1)
        expected.append(np.repeat(value[valid > 0], max(1, rate_hz // 25)))
    np.testing.assert_allclose(labels, np.concatenate(expected), atol=1e-6)


def test_a_session_is_in_one_fold_and_a_single_one_is_cut_into_stretches(aligned):
    sessions = aligned.split("train")
    found = examples(aligned, sessions, 25)
    windows = [Window(session, 0, start) for session in sessions for start in (0, 30, 90)]
    assert found.folds_of(windows).tolist() == [i % FOLDS for i in range(len(sessions)) for _ in range(3)]
    alone = torch.cat([batch.fold for batch in examples(aligned, sessions[:1], 25)])
    assert alone.unique().numel() > 1
    assert int(alone.max()) < FOLDS
