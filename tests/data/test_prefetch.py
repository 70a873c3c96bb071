"""Batches are read ahead, in order of need, and never beyond the last step."""

import threading

import pytest

from damamba.data.prefetch import Prefetch


def test_the_next_batch_is_read_while_the_model_works():
    read, begun = [], {step: threading.Event() for step in range(4)}

    def slow(drawn):
        begun[drawn].set()
        read.append(drawn)
        return f"batch {drawn}"

    batches = Prefetch(lambda step: step, slow, steps=3, ahead=1)
    assert batches.take(0) == (0, "batch 0")
    assert begun[1].wait(5)  # nobody has asked for it yet
    assert batches.take(1) == (1, "batch 1")
    assert batches.take(2) == (2, "batch 2")
    assert sorted(read) == [0, 1, 2]


def test_several_batches_are_read_at_once():
    together = threading.Barrier(3, timeout=5)

    def read(drawn):
        together.wait()  # breaks unless three reads are under way
        return drawn

    assert Prefetch(lambda step: step, read, steps=3, ahead=3).take(0) == (0, 0)


def test_what_reading_raises_is_raised_at_its_step():
    def read(drawn):
        if drawn == 1:
            raise ValueError("step 1")
        return drawn

    batches = Prefetch(lambda step: step, read, steps=3, ahead=2)
    assert batches.take(0) == (0, 0)
    with pytest.raises(ValueError, match="step 1"):
        batches.take(1)
