"""What labels of a kind ask of losses, metrics and the choice of weights."""

from collections.abc import Iterable, Mapping

from damamba import plugins
from damamba.config.base import LOSSES, METRICS
from damamba.config.labels import LabelKind
from damamba.config.sections import EvaluateParams, LossParams


def kind_problems(
    kind: LabelKind,
    losses: Mapping[str, LossParams],
    weighed: Iterable[str],
    selects: Iterable[str],
    evaluate: EvaluateParams,
) -> list[str]:
    """A line for each loss, score of the validation and metric that is for labels of another kind.

    Args:
        kind: Of the labels.
        losses: Section `losses`.
        weighed: Names of the losses that a variant gives some weight.
        selects: `train.select` of the variants.
        evaluate: Section `evaluate`.
    """
    such = "ccc" if kind == "continuous" else "kappa"
    problems = [
        f"params.yaml: losses.{name}: {losses[name].loss} is for other labels than {kind} ones (labels.kind); set "
        f"model.lambda_{name} to 0, and weigh a loss such as {'ccc' if kind == 'continuous' else 'cross_entropy'}"
        for name in dict.fromkeys(weighed)
        if kind not in plugins.part(LOSSES, losses[name].loss).kinds
    ]
    problems += [
        f"params.yaml: train.select: {name} is for other labels than {kind} ones (labels.kind); choose {such}"
        for name in dict.fromkeys(selects)
        if kind not in plugins.part(METRICS, name).kinds
    ]
    problems += [
        f"params.yaml: evaluate.metrics: {name} is for other labels than {kind} ones (labels.kind); name one such as "
        f"{such}"
        for name in evaluate.metrics
        if kind not in plugins.part(METRICS, name).kinds
    ]
    return problems
