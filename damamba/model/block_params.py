"""Settings that blocks read: the part of an architecture's own settings that its building blocks share."""

from typing import Literal

from damamba.config import NonNegative, Positive, Section, Share


class BlockParams(Section):
    """Sizes and kind of the blocks; reasons of each default: docs/design.md."""

    block: Literal["hybrid", "transformer"]
    """What the stacks are made of; `transformer` is the ablation row with full attention."""
    d_model: Positive
    """Channels of a cue after projection."""
    d_state: Positive
    """State of the SSM, a head and channel."""
    headdim: Positive
    """Channels of an SSM head."""
    expand: Positive
    """Inner width of the SSM over its outer width."""
    d_conv: Positive
    """Taps of the causal convolution."""
    group_layers: Positive
    """Hybrid blocks a modality group."""
    context_layers: Positive
    """Blocks of the partner context."""
    dialogue_layers: NonNegative
    """Blocks after cross-attention, which accumulate target-partner interactions over time."""
    n_heads: Positive
    """Heads of local attention and cross-attention."""
    chunk_frames: Positive
    """Frames of a local-attention chunk."""
    ffn_expand: Positive
    """Inner width of a feed-forward layer over its outer width."""
    modality_fusion: bool
    """Stacks over the cues of each group, aligned; off: the cues' own layers are joined as they are."""
    dropout: Share
    causal: bool
    """Only the past is seen (streaming)."""
