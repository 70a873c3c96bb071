"""Settings that blocks read: the part of an architecture's own settings that its building blocks share."""

from typing import Annotated, Literal

from pydantic import Field

from damamba.config import Dropout, Layers, Section, Width


class BlockParams(Section):
    """Sizes and kind of the blocks; reasons of each default: docs/design.md."""

    block: Literal["hybrid", "transformer"]
    """What the stacks are made of; `transformer` is the ablation row with full attention."""
    d_model: Width
    """Channels of a cue after projection."""
    d_state: Width
    """State of the SSM, a head and channel."""
    headdim: Width
    """Channels of an SSM head."""
    expand: Width
    """Inner width of the SSM over its outer width."""
    d_conv: Width
    """Taps of the causal convolution."""
    group_layers: Layers
    """Hybrid blocks a modality group."""
    context_layers: Layers
    """Blocks of the partner context."""
    dialogue_layers: Annotated[int, Field(ge=0, le=64, strict=True)]
    """Blocks after cross-attention, which accumulate target-partner interactions over time."""
    n_heads: Width
    """Heads of local attention and cross-attention."""
    chunk_frames: Width
    """Frames of a local-attention chunk."""
    ffn_expand: Width
    """Inner width of a feed-forward layer over its outer width."""
    modality_fusion: bool
    """Stacks over the cues of each group, aligned; off: the cues' own layers are joined as they are."""
    dropout: Dropout
    causal: bool
    """Only the past is seen (streaming)."""
