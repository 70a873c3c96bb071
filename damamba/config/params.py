"""params.yaml as a whole: sections that fit together, variants, and settings checked by the classes behind names."""

import json
import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from damamba import plugins
from damamba.config.base import (
    ARCHITECTURES,
    EXTRACTORS,
    LOSSES,
    METRICS,
    SOURCES,
    Name,
    Section,
    parse_section,
    read_section,
)
from damamba.config.causal import causal_problems
from damamba.config.kinds import kind_problems
from damamba.config.labels import LabelsParams
from damamba.config.sections import (
    LONGEST_WINDOW,
    AlignParams,
    BenchmarkParams,
    CorpusParams,
    CueParams,
    EvaluateParams,
    ExtractParams,
    FacesParams,
    LossParams,
    ModelParams,
    ModelSection,
    SimulateParams,
    TrainParams,
    WindowParams,
    check_batch,
    heads_of,
    repeated,
)
from damamba.console import InputError

LARGEST_WEIGHT = 10**6
"""Of a loss."""
LARGEST_SEED = 2**31 - 1


class Params(Section):
    """params.yaml."""

    preset: str
    """Name of the last preset that set the sizes; shown in the report."""
    code: str
    """Folder of one's own cues, architectures, sources, metrics and losses: DVC runs stages again when it changes."""
    corpus: CorpusParams
    labels: LabelsParams = LabelsParams()
    simulate: SimulateParams
    faces: FacesParams
    extract: ExtractParams
    cues: Annotated[dict[Name, CueParams], Field(min_length=1)]
    align: AlignParams
    window: WindowParams
    architectures: dict[Name, dict[str, Any]]
    """Settings of each architecture, by the last part of its name."""
    losses: Annotated[dict[Name, LossParams], Field(min_length=1)]
    """Terms of the loss."""
    model: ModelSection
    variants: Annotated[dict[Name, dict[str, Any]], Field(min_length=1)]
    """Rows of the ablation: keys of `model`, settings of its architecture, or under `train` keys of that, to change."""
    runs: Annotated[tuple[Name, ...], Field(min_length=1)]
    """VARIANT-SEED: what the pipeline trains and scores."""
    train: TrainParams
    evaluate: EvaluateParams
    benchmark: BenchmarkParams

    @model_validator(mode="after")
    def _consistent(self) -> "Params":
        if self.align.rate_hz % self.window.rate_hz:
            raise ValueError(
                f"align.rate_hz ({self.align.rate_hz}) must be a multiple of window.rate_hz ({self.window.rate_hz})"
            )
        for name in self.runs:
            split_run(name, self.variants)
        if twice := repeated(self.runs):
            raise ValueError(f"runs: {twice} stands twice; remove one")
        check_batch(self.train.batch_windows, self.window.frames)
        seconds = self.window.frames / self.window.rate_hz
        if self.corpus.sources == ("simulate",) and seconds > LONGEST_WINDOW * 60 * self.simulate.minutes:
            raise ValueError(
                f"window: {self.window.frames} frames are {seconds:.0f} s, and sessions have "
                f"{60 * self.simulate.minutes:.0f} s (simulate.minutes); make core_frames and context_frames smaller"
            )
        return self

    @property
    def simulated(self) -> bool:
        """Whether any of the people is simulated."""
        return "simulate" in self.corpus.sources

    def variant(self, name: str) -> ModelParams:
        """`model` with the changes of a variant.

        Raises:
            InputError: No such variant, or a setting that its architecture does not have or does not accept.
        """
        if name not in self.variants:
            raise InputError(f"params.yaml: no variant {name!r}; there are {', '.join(self.variants)}")
        where = f"params.yaml: variants.{name}"
        own = {*ModelSection.model_fields, *(f"lambda_{loss}" for loss in self.losses)}
        changes = self.variants[name]
        values = {**self.model.model_dump(), **{key: value for key, value in changes.items() if key in own}}
        model = parse_section(ModelSection, values, where)
        weights = {key.removeprefix("lambda_"): value for key, value in (model.model_extra or {}).items()}
        for cue in model.cues or ():
            if cue not in self.cues:
                raise InputError(f"{where}.cues: no cue {cue!r}; there are {', '.join(self.cues)}")
        settings = {
            **self.architectures.get(plugins.short(model.architecture), {}),
            **{key: value for key, value in changes.items() if key not in (*own, "train")},
        }
        kind = plugins.settings_of(ARCHITECTURES, model.architecture)
        checked = parse_section(kind, settings, where).model_dump(mode="json")
        if weights and not any(weights.values()):
            raise InputError(f"{where}: every lambda is 0, so there is nothing to learn; give a loss some weight")
        resolved = {
            "architecture": model.architecture,
            "cues": model.cues,
            "settings": checked,
            "weights": weights,
        }
        return parse_section(ModelParams, resolved, where)

    def training(self, variant: str) -> TrainParams:
        """`train` with the changes of a variant, such as a learning rate that suits its architecture.

        Raises:
            InputError: A key that `train` does not have, or a value that it does not accept.
        """
        changes = self.variants[variant].get("train", {})
        where = f"params.yaml: variants.{variant}.train"
        if not isinstance(changes, dict):
            raise InputError(f"{where}: expected keys of `train`, such as {{learning_rate: 0.001}}")
        return parse_section(TrainParams, {**self.train.model_dump(), **changes}, where)

    def check_model(self, variant: str) -> None:
        """Make the model of a variant without memory, with cues of one channel: whether its sizes fit each other.

        Raises:
            InputError: They do not, or as of `variant`.
        """
        model = self.variant(variant)
        self.training(variant)
        groups: dict[str, dict[str, int]] = {}
        for name, cue in self.cues.items():
            if model.cues is None or name in model.cues:
                groups.setdefault(cue.group, {})[name] = 1
        try:
            _check_sizes(model.architecture, json.dumps(model.settings), json.dumps(groups), self.window.rate_hz)
        except InputError as error:
            raise InputError(f"params.yaml: variants.{variant}: {error}") from None
        if (heads := heads_of(model.weights, self.losses)) and not plugins.part(
            ARCHITECTURES, model.architecture
        ).several:
            off = ", ".join(f"lambda_{name}: 0" for name, loss in self.losses.items() if loss.label in heads)
            raise InputError(
                f"params.yaml: variants.{variant}: {model.architecture} predicts one label, and labels.also has "
                f"{', '.join(heads)}; let this variant learn the first alone: {{{off}}}"
            )

    def check_settings(self) -> None:
        """Let the class behind every name check its settings: sources, cues, architectures, losses, metrics, variants.

        Raises:
            InputError: One line a problem.
        """
        expected = {f"lambda_{name}" for name in self.losses}
        given = set(self.model.model_extra or {})
        problems = [
            f"params.yaml: model.{key}: not a key of `model`, and no loss has this weight; known keys: "
            + ", ".join([*ModelSection.model_fields, *sorted(expected)])
            for key in sorted(given - expected)
        ]
        problems += [f"params.yaml: model.{key}: missing: the weight of a loss" for key in sorted(expected - given)]
        problems += [
            f"params.yaml: model.{key}: expected a number from 0 to {LARGEST_WEIGHT}, got {value!r}"
            for key, value in (self.model.model_extra or {}).items()
            if isinstance(value, bool) or not (isinstance(value, int | float) and 0 <= value <= LARGEST_WEIGHT)
        ]
        dotted = {
            plugins.short(name): name
            for name in (self.model.architecture, *(str(v.get("architecture", "")) for v in self.variants.values()))
            if "." in name
        }
        checks = [
            *((f"cues.{name}", EXTRACTORS, cue.extractor, cue.settings()) for name, cue in self.cues.items()),
            *((f"losses.{name}", LOSSES, entry.loss, entry.settings()) for name, entry in self.losses.items()),
            *(
                (f"corpus.{plugins.short(name)}", SOURCES, name, self.corpus.settings(name))
                for name in self.corpus.sources
            ),
            *(
                (f"evaluate.{plugins.short(name)}", METRICS, name, self.evaluate.settings(name))
                for name in self.evaluate.metrics
            ),
            *(
                (f"architectures.{name}", ARCHITECTURES, dotted.get(name, name), settings)
                for name, settings in self.architectures.items()
            ),
        ]
        for where, folder, name, settings in checks:
            try:
                parse_section(plugins.settings_of(folder, name), settings, f"params.yaml: {where}")
            except InputError as error:
                problems.append(str(error))
        problems += [
            f"params.yaml: cues.{name}: reads: expected faces, got {cue.reads}: {cue.extractor} reads the face track"
            for name, cue in self.cues.items()
            if not problems
            and cue.reads != "faces"
            and getattr(plugins.part(EXTRACTORS, cue.extractor), "needs_faces", False)
        ]
        if not problems:
            weights = (weight for name in self.variants for weight in self.variant(name).weights.items())
            weighed = [name for name, weight in weights if weight]
            selects = [self.training(name).select for name in self.variants]
            problems = kind_problems(self.labels, self.losses, weighed, selects, self.evaluate)
            problems += [
                f"params.yaml: labels.also.{name}: a cue has this name; rename one of the two"
                for name in self.labels.every
                if name in self.cues
            ]
        if not problems and os.environ.get("DVC_STAGE", "check") == "check":  # which DVC runs before every other stage
            problems = self._variant_problems()
        if not problems:
            causal = [name for name in self.variants if self.variant(name).settings.get("causal")]
            problems = causal_problems(self.align, self.cues, causal)
        if problems:
            raise InputError("\n".join(problems))

    def _variant_problems(self) -> list[str]:
        """One line for the first variant whose model cannot be made: what is wrong in it is wrong in most."""
        problems = []
        for name in self.variants:
            try:
                self.check_model(name)
            except InputError as error:
                problems.append(str(error))
        others = f" ({len(problems) - 1} more variants cannot be used)" if len(problems) > 1 else ""
        return [f"{problem}{others}" for problem in problems[:1]]

    @classmethod
    def load(cls, path: Path = Path("params.yaml")) -> "Params":
        """Read and check.

        Raises:
            InputError: Missing file, broken YAML, unknown key, wrong type or value; one line a problem.
        """
        params = read_section(cls, path)
        params.check_settings()
        return params


@lru_cache
def _check_sizes(architecture: str, settings: str, groups: str, rate_hz: int) -> None:
    """Let an architecture check its sizes, once for each set of them."""
    kind = plugins.part(ARCHITECTURES, architecture)
    if not hasattr(kind, "check_sizes"):
        raise InputError(f"{architecture}: {kind.__name__} must be a subclass of damamba.model.EngagementModel")
    kind.check_sizes(json.loads(groups), kind.Params.model_validate(json.loads(settings)), rate_hz)


def split_run(name: str, variants: Mapping[str, Any]) -> tuple[str, int]:
    """VARIANT-SEED -> (variant, seed).

    Raises:
        ValueError: Not of that form, or no such variant.
    """
    variant, _, seed = name.rpartition("-")
    if variant not in variants or not re.fullmatch("0|[1-9][0-9]{0,9}", seed) or int(seed) > LARGEST_SEED:
        raise ValueError(
            f"run {name!r} is not VARIANT-SEED with a variant of {', '.join(variants)}, SEED up to {LARGEST_SEED}"
        )
    return variant, int(seed)
