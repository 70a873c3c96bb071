"""State that a causal model carries along a stream."""

from typing import Any

from torch import nn

Memory = dict[nn.Module, Any]
"""The state of each layer that has one; empty before the first frame.

A module that takes a memory continues from its state there and puts its new state in. States are never modified in
place, so a copy of a memory is an independent stream.
"""
