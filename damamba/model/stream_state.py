"""What a causal model remembers of a stream."""

from typing import Any

from torch import nn

Memory = dict[nn.Module, Any]
"""The state of each layer that has one; empty before the first frame.

Modules that take a memory go on where it stands and put their new state into it. States themselves are never changed,
so a copy of a memory is a stream of its own.
"""
