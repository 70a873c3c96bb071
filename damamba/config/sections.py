"""The sections of params.yaml, each frozen and typed."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from damamba import plugins
from damamba.config.base import (
    LABEL_RATE_HZ,
    METRICS,
    SOURCES,
    Dropout,
    InnerShare,
    Name,
    NonNegative,
    NonNegativeFloat,
    Pixels,
    Positive,
    PositiveFloat,
    Section,
    Share,
)
from damamba.config.labels import LabelName

LONGEST_WINDOW_S = 3600
LARGEST_BATCH = 10**6
"""Frames of a batch; at the widths of the upstream encoders, those of two people take 20 GB."""
LONGEST_WINDOW = 20
"""A window may be this many times as long as the longest session; most of it would be padding."""
SELECTS = ("ccc", "ccc_within", "kappa", "weighted_kappa", "macro_f1")
Count = Annotated[int, Field(ge=0, le=10_000, strict=True)]
Repeats = Annotated[int, Field(gt=0, le=1000, strict=True)]
Length = Annotated[int, Field(gt=0, le=LARGEST_BATCH, strict=True)]
Windows = Annotated[int, Field(gt=0, le=4096, strict=True)]
Threads = Annotated[int, Field(ge=0, le=1024, strict=True)]


class ProtocolParams(Section):
    """Which sessions are trained on and which are scored: the splits of the sources, or one departure from them."""

    adapt: tuple[str, ...]
    """Validation sessions that become training data, as corpus/session: mpiigi/008."""
    folds: NonNegative
    """Number of folds of a cross-validation over all labelled sessions, no person in two folds; 0 = none."""
    fold: NonNegative
    """The fold that is tested, from 0; the next one is the validation split."""

    @property
    def name(self) -> str:
        """The protocol in words, for index and tables."""
        if self.folds:
            return f"fold {self.fold} of {self.folds}, by person"
        if self.adapt:
            return f"adapted on {', '.join(self.adapt)}"
        return "as given"

    @model_validator(mode="after")
    def _one_departure(self) -> "ProtocolParams":
        if self.folds in (1, 2):
            raise ValueError("folds must be 0 or at least 3: one to test, one to validate, the rest to train")
        if self.folds and self.adapt:
            raise ValueError("adapt and folds exclude each other: empty adapt, or set folds to 0")
        if self.fold >= max(self.folds, 1):
            raise ValueError(f"fold must be less than folds ({self.folds})")
        return self


class CorpusParams(Section):
    """Where sessions come from. Further keys are the settings of the sources, which the source's class checks."""

    model_config = ConfigDict(extra="allow")

    sources: Annotated[tuple[Name, ...], Field(min_length=1)]
    """Files in ``damamba/ingest/sources``, or dotted paths of modules of one's own; `ingest` joins them."""
    protocol: ProtocolParams
    label_slack_s: NonNegativeFloat
    """How much a label file may be shorter or longer than its recording, s; the missing labels are not valid."""

    def settings(self, source: str) -> dict[str, Any]:
        """Settings of one of `sources`, unchecked; they stand under the last part of its name."""
        return dict((self.model_extra or {}).get(plugins.short(source)) or {})

    @model_validator(mode="after")
    def _known_sources(self) -> "CorpusParams":
        built_in = plugins.names(SOURCES)
        for name in self.sources:
            if "." not in name and name not in built_in:
                raise ValueError(
                    f"sources: {name!r} is unknown; there are {', '.join(built_in)}; name a module of your own by its "
                    "dotted path, such as extensions.mysource"
                )
        listed = [plugins.short(name) for name in self.sources]
        if len(set(listed)) < len(listed):
            raise ValueError(f"sources: {', '.join(self.sources)}: every last part must differ; rename or remove one")
        known = dict.fromkeys([*CorpusParams.model_fields, *built_in, *listed])
        for key, value in (self.model_extra or {}).items():
            if key not in known:
                raise ValueError(f"{key}: no such key, and no source of this name; known keys: {', '.join(known)}")
            if not isinstance(value, dict | None):
                raise ValueError(f"{key}: expected the settings of a source, got {value!r}")
        return self


class SimulatedCorpus(Section):
    """Sessions of one simulated corpus, by split."""

    train: Count
    val: Count
    test: Count


class SimulatedSessions(Section):
    """How many sessions of each corpus."""

    noxi: SimulatedCorpus
    noxi_add: SimulatedCorpus
    mpiigi: SimulatedCorpus


class SimulatedLanguages(Section):
    """Codes of the languages of each corpus."""

    noxi: tuple[str, ...]
    noxi_add: tuple[str, ...]
    mpiigi: tuple[str, ...]


class SimulateParams(Section):
    """The built-in corpus."""

    seed: NonNegative
    minutes: Annotated[float, Field(gt=0, le=600)]
    """Length of a session, min."""
    resolution: tuple[Pixels, Pixels]
    """Width and height of the videos, px; multiples of 4."""
    fps: Annotated[float, Field(gt=0, le=1000)]
    """Frames a second of the videos, Hz."""
    timing: Share
    """How much engagement decides that responses come where the partner made a point; 0: not at all."""
    shared: Share
    """How much of mood, coupling and the floor ties people together; 0: nothing."""
    features_only: bool
    """Write the channels of behaviour as feature streams and labels; no pictures, no sound."""
    flaws: Share
    """Share of the participants on whom each kind of flaw falls (`damamba_sim.faces.filming.FLAWS`)."""
    sessions: SimulatedSessions
    languages: SimulatedLanguages


class FacesParams(Section):
    """Face tracking."""

    model: Annotated[str, Field(min_length=1)]
    """MediaPipe FaceLandmarker file (the stage `landmarker` fetches it)."""
    min_confidence: InnerShare
    """Of detection and presence."""
    min_found: Share
    """With a smaller share of frames with a face, a participant counts as without a face: visual cues are not valid."""


class ExtractParams(Section):
    """The loop over participants, of every extractor."""

    jobs: Threads
    """Worker processes; 0 = one a core."""
    executor: Annotated[str, Field(pattern=r"^(processes|serial|dask:\S+)$")]
    """``processes``, ``serial``, or ``dask:`` and the address of a scheduler, such as dask:tcp://10.0.0.1:8786, or the
    path of a scheduler file."""


class CueParams(Section):
    """One feature stream. Further keys belong to its extractor, whose `Params` validates them."""

    model_config = ConfigDict(extra="allow")

    group: Name
    """Modality group of the model that the cue enters, such as audio, visual or text."""
    extractor: Name
    """File in ``damamba/extractors``, or the dotted path of a module of one's own, such as ``my_project.gaze``."""
    reads: Literal["corpus", "faces"]
    """Artefact that the extractor reads: media alone, or face tracks too."""

    def settings(self) -> dict[str, Any]:
        """The extractor's own keys."""
        return dict(self.model_extra or {})


class AlignParams(Section):
    """The common grid."""

    rate_hz: Literal[25, 50, 100]
    """Frames a second of the shards, Hz."""
    max_gap_s: Annotated[float, Field(gt=0, le=60)]
    """No interpolation across a longer gap, s; on a causal grid, no row is held for longer."""
    causal: bool = False
    """Hold the last row that is known, instead of interpolating to the next one; needs causal cues."""


class WindowParams(Section):
    """A window = context + core + context, in frames of `rate_hz`."""

    rate_hz: Literal[5, 25, 50, 100]
    """Frames a second that the model runs at, Hz; at 5 a frame covers five labels, for windows of a minute and more."""
    core_frames: Positive
    """Frames that are predicted and scored."""
    context_frames: NonNegative
    """Frames on each side that are only seen."""

    @property
    def frames(self) -> int:
        """Length of a window."""
        return self.core_frames + 2 * self.context_frames

    @model_validator(mode="after")
    def _whole_labels(self) -> "WindowParams":
        for name in ("core_frames", "context_frames"):
            if getattr(self, name) * LABEL_RATE_HZ % self.rate_hz:
                step = self.rate_hz // LABEL_RATE_HZ
                raise ValueError(f"{name} must be a multiple of {step}: a window starts on a label")
        if self.frames > LONGEST_WINDOW_S * self.rate_hz:
            raise ValueError(
                f"a window of {self.frames} frames is longer than {LONGEST_WINDOW_S} s; make core_frames and "
                "context_frames smaller"
            )
        return self


class LossParams(Section):
    """One term of the loss. Further keys belong to its class, which checks them."""

    model_config = ConfigDict(extra="allow")

    loss: Name
    """File in ``damamba/losses``, or the dotted path of a module of one's own."""
    label: LabelName | None = None
    """Which of `labels.also` the term compares; null: the label at the top of that section."""

    def settings(self) -> dict[str, Any]:
        """Keys of the loss's own class."""
        return dict(self.model_extra or {})


def heads_of(weights: Mapping[str, float], losses: Mapping[str, LossParams]) -> tuple[str, ...]:
    """Names of the labels in `labels.also` that some weighed loss compares, in the order of the losses.

    Args:
        weights: Loss -> weight.
        losses: Section `losses`.
    """
    return tuple(dict.fromkeys(loss.label for name, loss in losses.items() if loss.label and weights.get(name)))


class ModelSection(Section):
    """What is trained, and how much each term of the loss weighs: ``lambda_<name>`` for each name under `losses`."""

    model_config = ConfigDict(extra="allow")

    architecture: Name
    """File in ``damamba/model/architectures``, or the dotted path of a module of one's own."""
    cues: Annotated[tuple[Name, ...], Field(min_length=1)] | None
    """Cues that are used; null: all."""

    @model_validator(mode="after")
    def _cues_differ(self) -> "ModelSection":
        if twice := repeated(self.cues or ()):
            raise ValueError(f"cues: {twice} stands twice; remove one")
        return self


class ModelParams(Section):
    """A variant: `model` and the settings of its architecture, with the variant's changes."""

    architecture: Name
    cues: tuple[Name, ...] | None
    settings: dict[str, Any]
    """All settings of the architecture, checked by its class."""
    weights: dict[Name, NonNegativeFloat]
    """Weight of each loss."""


class TrainParams(Section):
    """Optimisation."""

    steps: Positive
    """Optimiser steps."""
    batch_windows: Windows
    """Windows a step."""
    balance_corpora: Share = 0.0
    """0: every window of the training split is drawn as often; 1: every corpus is; between: size ** (1 - this)."""
    accumulate: Positive
    """Pieces that a batch goes through the model in; its loss is that of the whole batch."""
    precision: Literal["fp32", "bf16", "fp16"]
    """Of matrix products in training; weights, scan, loss and validation stay in fp32. fp16 needs a GPU."""
    gradient_checkpointing: bool
    """Blocks compute again in the backward pass what they would have kept: less memory, the same numbers."""
    learning_rate: Annotated[float, Field(gt=0, le=10)]
    weight_decay: Annotated[float, Field(ge=0, le=10)]
    """Of matrices; biases, norms and the rates of state-space layers do not decay."""
    warmup_steps: NonNegative
    """Linear warm-up before the cosine."""
    clip_norm: PositiveFloat
    """Largest norm of the gradient."""
    ema_decay: Dropout
    """Of the weights that are evaluated and saved: min(ema_decay, (1 + n) / (10 + n)) at step n."""
    validate_steps: Positive
    """Steps from one validation to the next; the best EMA weights are kept."""
    select: str
    """Score of the validation that chooses the weights. Of continuous labels: ``ccc``, pooled as in the challenge, or
    ``ccc_within``, within people, over time; of classes one of the others. Of one of `labels.also`: ``NAME.ccc``."""
    patience: NonNegative
    """Validations without a better score after which training ends; 0 = never."""
    checkpoint_steps: Positive
    """Steps from one resume state to the next."""
    threads: Threads
    """Threads of tensor operations; 0 = all."""

    @field_validator("select")
    @classmethod
    def _known_score(cls, select: str) -> str:
        if select.rpartition(".")[2] not in SELECTS:
            raise ValueError(f"{select!r} is no score of the validation; choose {', '.join(SELECTS)}")
        return select

    @model_validator(mode="after")
    def _pieces(self) -> "TrainParams":
        if self.accumulate > self.batch_windows:
            raise ValueError(f"accumulate must be at most batch_windows ({self.batch_windows})")
        if self.warmup_steps >= self.steps:
            raise ValueError(f"warmup_steps ({self.warmup_steps}) must be less than steps ({self.steps})")
        return self


class EvaluateParams(Section):
    """Scores. A further key holds the settings of the metric of that name."""

    model_config = ConfigDict(extra="allow")

    split: Literal["val", "test"]
    """What is scored; test labels of the challenge are withheld."""
    metrics: Annotated[tuple[str, ...], Field(min_length=1)]
    """Files of ``damamba/metrics``, or dotted paths of modules of your own; tables lead with the first."""
    bootstrap: Annotated[int, Field(gt=0, le=100_000, strict=True)]
    """Resamples of sessions behind an interval."""
    confidence: InnerShare
    by: tuple[Annotated[str, Field(min_length=1, max_length=64)], ...] = ()
    """Columns of the manifest, or group_size: a table of scores by the values of each."""

    def settings(self, metric: str) -> dict[str, Any]:
        """Settings of one of `metrics`, unchecked; they stand under the last part of its name."""
        return dict((self.model_extra or {}).get(plugins.short(metric), {}))

    @model_validator(mode="after")
    def _names(self) -> "EvaluateParams":
        bare = plugins.names(METRICS)
        for name in self.metrics:
            if "." not in name and name not in bare:
                raise ValueError(f"metrics: no metric {name!r}; there are {', '.join(bare)}, or a module's dotted path")
        short = [plugins.short(name) for name in self.metrics]
        if len(set(short)) < len(short):
            raise ValueError(f"metrics: two have the same name: {', '.join(self.metrics)}")
        if twice := repeated(self.by):
            raise ValueError(f"by: {twice} stands twice; remove one")
        for key, value in (self.model_extra or {}).items():
            if key not in short or not isinstance(value, dict):
                known = ", ".join([*type(self).model_fields, *(f"{name}: {{…}}" for name in short)])
                raise ValueError(f"{key}: unknown key; known keys: {known}")
        return self


class BenchmarkParams(Section):
    """Memory and time of untrained models."""

    frames: Annotated[tuple[Length, ...], Field(min_length=1)]
    """Lengths of a window."""
    batch_windows: Windows
    """Windows per step, at these lengths."""
    repeats: Repeats
    """Timed steps, after an untimed one; the median counts."""
    long_frames: tuple[Length, ...]
    """Further lengths, with one window and one timed step each; the exponent of memory comes from these."""
    memory_limit_gib: Annotated[float, Field(gt=0, le=4096)]
    """Memory that a step may take; a step that needs more is out of memory."""
    length_frames: Annotated[tuple[Length, ...], Field(min_length=2)]
    """Lengths at which a block is compared with a Transformer layer, in training."""
    speed_repeats: Repeats
    """Timed calls of each layer; the median counts."""
    stream_frames: Length
    """Timed steps of a stream."""

    @model_validator(mode="after")
    def _size(self) -> "BenchmarkParams":
        check_batch(self.batch_windows, max(self.frames))
        return self


def check_batch(windows: int, frames: int) -> None:
    """Raise ValueError for a batch that no memory holds."""
    if windows * frames > LARGEST_BATCH:
        raise ValueError(
            f"batch_windows: {windows} windows of {frames} frames are more than {LARGEST_BATCH} frames a batch; make "
            "batches or windows smaller"
        )


def repeated(names: Sequence[str]) -> str | None:
    """The first of `names` that stands there twice, if any does."""
    return next((name for i, name in enumerate(names) if name in names[:i]), None)
