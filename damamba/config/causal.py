"""What a causal model asks of the cues: each of them with a bounded lookahead."""

from collections.abc import Mapping, Sequence

from damamba import plugins
from damamba.config.base import EXTRACTORS
from damamba.config.sections import AlignParams, CueParams

SEE = "see Causality in docs/design.md"


def causal_problems(align: AlignParams, cues: Mapping[str, CueParams], causal_variants: Sequence[str]) -> list[str]:
    """A line where variants are causal and the grid is not, and a line for each cue that a causal grid cannot hold.

    Args:
        align: Section `align`.
        cues: Section `cues`; their settings are valid.
        causal_variants: Names of the variants whose architecture is causal.
    """
    if not align.causal:
        if not causal_variants:
            return []
        return [
            f"params.yaml: variants {', '.join(causal_variants)}: a model with `causal: true` needs causal cues: set "
            f"align.causal: true and `causal: true` of the cues, or `causal: false` of the architecture; {SEE}"
        ]
    return [
        f"params.yaml: cues.{name}: depends on the whole recording, but align.causal is true; {_remedy(name, cue)}"
        for name, cue in cues.items()
        if plugins.made(EXTRACTORS, cue.extractor, cue.settings()).lookahead_s is None
    ]


def _remedy(name: str, cue: CueParams) -> str:
    known = plugins.settings_of(EXTRACTORS, cue.extractor).model_fields
    if "causal" in known:
        return f"set cues.{name}.causal: true, or remove the cue"
    if "lookahead_s" in known:
        return f"set cues.{name}.lookahead_s to the time that its rows look ahead, s, or remove the cue"
    return f"declare `lookahead_s` in its extractor ({cue.extractor}), or remove the cue; {SEE}"
