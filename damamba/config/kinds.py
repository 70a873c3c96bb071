"""What labels of a kind ask of losses, metrics and the choice of weights."""

from collections.abc import Iterable, Iterator, Mapping

from damamba import plugins
from damamba.config.base import LOSSES, METRICS
from damamba.config.labels import MAIN, LabelKind, LabelParams
from damamba.config.sections import EvaluateParams, LossParams


def kind_problems(
    labels: LabelParams,
    losses: Mapping[str, LossParams],
    weighed: Iterable[str],
    selects: Iterable[str],
    evaluate: EvaluateParams,
) -> list[str]:
    """A line for each loss, score of the validation and metric that is for labels of another kind, or of none.

    Args:
        labels: Section `labels`.
        losses: Section `losses`.
        weighed: Names of the losses that a variant gives some weight.
        selects: `train.select` of the variants.
        evaluate: Section `evaluate`.
    """
    kinds: dict[str, LabelKind] = {name: label.kind for name, label in labels.every.items()}
    known = ", ".join(name for name in kinds if name != MAIN) or "none"
    unknown = [
        f"params.yaml: losses.{name}.label: no label {entry.label!r} in labels.also; there are {known}"
        for name, entry in losses.items()
        if entry.label and entry.label not in kinds
    ]
    unknown += [
        f"params.yaml: train.select: {name} is of no label in labels.also; there are {known}"
        for name in dict.fromkeys(selects)
        if label_and_metric(name)[0] not in kinds
    ]
    if unknown:
        return unknown
    problems = []
    for name in dict.fromkeys(weighed):
        entry = losses[name]
        kind = kinds[entry.label or MAIN]
        if kind not in plugins.part(LOSSES, entry.loss).kinds:
            problems.append(
                f"params.yaml: losses.{name}: {entry.loss} is for other labels than {kind} ones "
                f"({key_of(entry.label or MAIN)}); set model.lambda_{name} to 0, and weigh a loss such as {_loss(kind)}"
            )
    problems += [
        f"params.yaml: labels.also.{label}: no loss has `label: {label}`, so it cannot be learned; add one to losses, "
        f"such as {label}: {{loss: {_loss(kind)}, label: {label}}}, with its weight model.lambda_{label}"
        for label, kind in kinds.items()
        if label != MAIN and all(entry.label != label for entry in losses.values())
    ]
    for select in dict.fromkeys(selects):
        label, metric = label_and_metric(select)
        if kinds[label] not in plugins.part(METRICS, metric).kinds:
            problems.append(
                f"params.yaml: train.select: {select} is for other labels than {kinds[label]} ones ({key_of(label)}); "
                f"choose {label and f'{label}.'}{_metric(kinds[label])}"
            )
    return [*problems, *_metric_problems(kinds, evaluate)]


def _metric_problems(kinds: Mapping[str, LabelKind], evaluate: EvaluateParams) -> Iterator[str]:
    """Each label is scored by the metrics for its kind: none may be for no label, and no label without any."""
    several = len(kinds) > 1
    shown = " and ".join(dict.fromkeys(kinds.values()))
    fitting: dict[str, int] = dict.fromkeys(kinds, 0)
    for name in evaluate.metrics:
        fits = [label for label, kind in kinds.items() if kind in plugins.part(METRICS, name).kinds]
        for label in fits:
            fitting[label] += 1
        if not fits:
            keys = "labels" if several else "labels.kind"
            yield (
                f"params.yaml: evaluate.metrics: {name} is for other labels than {shown} ones ({keys}); name one such "
                f"as {_metric(kinds[MAIN])}"
            )
    for label, n in fitting.items():
        if several and not n:
            yield (
                f"params.yaml: evaluate.metrics: none is for {kinds[label]} labels ({key_of(label)}); add one such as "
                f"{_metric(kinds[label])}"
            )


def label_and_metric(select: str) -> tuple[str, str]:
    """Label and metric of a `train.select`."""
    label, _, metric = select.rpartition(".")
    return label or MAIN, metric


def key_of(label: str) -> str:
    """Where params.yaml has the kind of a label."""
    return f"labels.also.{label}.kind" if label else "labels.kind"


def _loss(kind: LabelKind) -> str:
    return "ccc" if kind == "continuous" else "cross_entropy"


def _metric(kind: LabelKind) -> str:
    return "ccc" if kind == "continuous" else "kappa"
