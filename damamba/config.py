"""params.yaml as frozen, typed sections; what is unknown or out of range is refused with its path."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from damamba import plugins
from damamba.console import InputError

Positive = Annotated[int, Field(gt=0)]
Pixels = Annotated[int, Field(gt=0, multiple_of=4)]
NonNegative = Annotated[int, Field(ge=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Group = Literal["audio", "visual"]
Split = Literal["train", "val", "test"]
MergeMethod = Literal["mean", "ewe"]
Places = dict[Literal["noxi", "noxi_add", "mpiigi"], dict[Split, str | None]]
LABEL_RATE_HZ = 25
SectionT = TypeVar("SectionT", bound="Section")


class Section(BaseModel):
    """Base of every section: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class FolderParams(Section):
    """The user's own recordings."""

    root: str
    """Folder that holds them; every path of the manifest is relative to it."""
    manifest: str
    """CSV inside `root`, one row a participant."""
    merge: MergeMethod
    """Several annotators of a participant: their mean, or weighted by how well each agrees with the others."""
    lag_s: Annotated[float, Field(ge=0, le=60)]
    """Time by which the annotators answered late, s: what they said at t is taken as said of t - lag_s."""


class OfficialParams(Section):
    """The MultiMediate release: NoXi, NoXi-Add, MPIIGI."""

    root: str
    """Folder of the download; the paths below are relative to it, or absolute."""
    layout: Literal[2024, 2025]
    """Whose tree it is; 2026's is that of 2025."""
    streams: Annotated[tuple[Name, ...], Field(min_length=1)]
    """Names of the released streams that are read."""
    media: bool
    """Whether raw video and sound are read too, where they are there."""
    features_at: Places
    """Folder of a split's sessions where it is not the layout's; null leaves the split out."""
    labels_at: Places
    """Folder of a split's labels where they lie neither beside the features nor where the layout has them."""
    media_at: Places
    """The same of raw media."""
    persons: str | None
    """CSV with the columns corpus, session, participant, person; null: everybody is met once, as the release has no
    names."""


class ProtocolParams(Section):
    """Who is trained on and who is scored: at most one of these departs from the splits of the sources."""

    adapt: tuple[str, ...]
    """corpus/session of validation sessions that become training data, such as mpiigi/008."""
    folds: NonNegative
    """Cross-validation over all labelled sessions, no person in two folds; 0 = none."""
    fold: NonNegative
    """The fold that is tested, from 0; the next one validates."""

    @property
    def name(self) -> str:
        """For index and tables."""
        if self.folds:
            return f"fold {self.fold} of {self.folds}, by person"
        if self.adapt:
            return f"adapted on {', '.join(self.adapt)}"
        return "as given"

    @model_validator(mode="after")
    def _one(self) -> "ProtocolParams":
        if self.folds in (1, 2):
            raise ValueError("folds must be 0 or at least 3: one to test, one to validate, the rest to train")
        if self.folds and self.adapt:
            raise ValueError("adapt and folds exclude each other: empty adapt, or set folds to 0")
        if self.fold >= max(self.folds, 1):
            raise ValueError(f"fold must be less than folds ({self.folds})")
        return self


class CorpusParams(Section):
    """Where sessions come from."""

    sources: Annotated[tuple[Literal["simulate", "folder", "official"], ...], Field(min_length=1)]
    """Sources that `ingest` joins into one manifest."""
    folder: FolderParams
    official: OfficialParams
    protocol: ProtocolParams
    label_slack_s: NonNegativeFloat
    """How much a label file may be shorter or longer than its video, s; the rest of the time is invalid."""


class SimulatedCorpus(Section):
    """Sessions of one simulated corpus, by split."""

    train: NonNegative
    val: NonNegative
    test: NonNegative


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
    minutes: PositiveFloat
    """Length of a session, min."""
    resolution: tuple[Pixels, Pixels]
    """Width and height of the videos, px; multiples of 4."""
    fps: PositiveFloat
    """Frames a second of the videos, Hz."""
    law: Literal["brief", "full"]
    """Constants of behaviour (`damamba_sim.behaviour.scene.LAWS`): one for sessions of seconds, one for minutes."""
    timing: Share
    """How much engagement decides that responses come where the partner made a point; 0: not at all."""
    shared: Share
    """How much of mood, coupling and the floor ties people together; 0: nothing."""
    features_only: bool
    """Write the channels of behaviour as feature streams and labels; no pictures, no sound."""
    flaws: Share
    """Share of the participants on whom each kind of flaw falls (`damamba_sim.corpora.FLAWS`)."""
    sessions: SimulatedSessions
    languages: SimulatedLanguages


class FacesParams(Section):
    """Face tracking."""

    model: str
    """MediaPipe FaceLandmarker file (``make setup`` fetches it)."""
    min_confidence: Share
    """Of detection and presence."""
    min_found: Share
    """A video with a smaller share of frames with a face is refused."""


class ExtractParams(Section):
    """The loop over participants, of every extractor."""

    jobs: NonNegative
    """Worker processes; 0 = one a core."""
    executor: Literal["processes", "serial"]


class CueParams(BaseModel):
    """One feature stream. Further keys belong to its extractor, which validates them."""

    model_config = ConfigDict(frozen=True, extra="allow")

    group: Group
    """Modality group of the model that the cue enters."""
    extractor: Name
    """File in ``damamba/extractors`` and stage file ``stages/extract_<extractor>.py``."""
    reads: Literal["corpus", "faces"]
    """Artefact that the extractor needs: media alone, or face tracks too."""

    def settings(self) -> dict[str, Any]:
        """The extractor's own keys."""
        return dict(self.model_extra or {})


class AlignParams(Section):
    """The common grid."""

    rate_hz: Literal[25, 50, 100]
    """Frames a second of the shards, Hz."""
    max_gap_s: PositiveFloat
    """No interpolation across a longer gap, s."""


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
        return self


class ModelParams(Section):
    """Architecture and loss; sources and reasons of each default: docs/design.md."""

    architecture: Literal["da_mamba", "dat", "lstm"]
    """What is built: DA-Mamba, its predecessor or a recurrent baseline; their classes say which keys they read."""
    cues: Annotated[tuple[Name, ...], Field(min_length=1)] | None
    """Cues that are used; null: all."""
    block: Literal["hybrid", "transformer"]
    """What the stacks are made of; `transformer` is the ablation row with full attention."""
    modality_fusion: bool
    """Stacks over the cues of each group, aligned; off: the cues' own layers are joined as they are."""
    grouping: Literal["modality", "joint"]
    """Over what a stack runs: the cues of a modality, or all of them in one wide stack (nothing is aligned then)."""
    partner_fusion: bool
    """Partners as context of the target; off: the target alone."""
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
    """Blocks after the target has asked its partners: they count over time what passed between them."""
    d_fusion: Positive
    """Width after the groups are joined."""
    n_heads: Positive
    """Heads of local attention and cross-attention."""
    chunk_frames: Positive
    """Frames of a local-attention chunk."""
    cross_window_s: PositiveFloat
    """A target frame sees the partners within this time, s."""
    ffn_expand: Positive
    """Inner width of a feed-forward layer over its outer width."""
    dropout: Share
    causal: bool
    """Only the past is seen (streaming)."""
    share_partner_weights: bool
    """One set of weights for target and partners in `dat`; da_mamba always does."""
    position_frames: Positive
    """Learned positions of `dat`; interpolated where a window is shorter or longer."""
    d_align: Positive
    """Width of the alignment projections."""
    temperature: PositiveFloat
    """Of the alignment loss."""
    align_frames: Positive
    """Frames drawn a batch for the alignment loss."""
    align_exclusion_s: NonNegativeFloat
    """Frames of the same window nearer than this are no negatives, s."""
    lambda_ccc: NonNegativeFloat
    lambda_align: NonNegativeFloat


class TrainParams(Section):
    """Optimisation."""

    steps: Positive
    """Optimiser steps."""
    batch_windows: Positive
    """Windows a step."""
    accumulate: Positive
    """Pieces that a batch goes through the model in; its loss is that of the whole batch."""
    precision: Literal["fp32", "bf16", "fp16"]
    """Of matrix products in training; weights, scan, loss and validation stay in fp32. fp16 needs a GPU."""
    gradient_checkpointing: bool
    """Blocks compute again in the backward pass what they would have kept: less memory, the same numbers."""
    learning_rate: PositiveFloat
    weight_decay: NonNegativeFloat
    warmup_steps: NonNegative
    """Linear warm-up before the cosine."""
    clip_norm: PositiveFloat
    """Largest norm of the gradient."""
    ema_decay: Share
    """Of the weights that are evaluated and saved: min(ema_decay, (1 + n) / (10 + n)) at step n."""
    validate_steps: Positive
    """Steps from one validation to the next; the best EMA weights are kept."""
    patience: NonNegative
    """Validations without a better score after which training ends; 0 = never."""
    checkpoint_steps: Positive
    """Steps from one resume state to the next."""
    threads: NonNegative
    """Threads of tensor operations; 0 = all."""

    @model_validator(mode="after")
    def _pieces(self) -> "TrainParams":
        if self.accumulate > self.batch_windows:
            raise ValueError(f"accumulate must be at most batch_windows ({self.batch_windows})")
        return self


class EvaluateParams(Section):
    """Scores. A further key holds the settings of the metric of that name."""

    model_config = ConfigDict(extra="allow")

    split: Literal["val", "test"]
    """What is scored; test labels of the challenge are withheld."""
    metrics: Annotated[tuple[str, ...], Field(min_length=1)]
    """Files of ``damamba/metrics``, or dotted paths of modules of your own; tables lead with the first."""
    bootstrap: Positive
    """Resamples of sessions behind an interval."""
    confidence: Share

    def settings(self, metric: str) -> dict[str, Any]:
        """Keys of a metric, by its short name; the metric checks them."""
        return dict((self.model_extra or {}).get(metric, {}))

    @model_validator(mode="after")
    def _names(self) -> "EvaluateParams":
        bare = plugins.names("damamba.metrics")
        for name in self.metrics:
            if "." not in name and name not in bare:
                raise ValueError(f"metrics: no metric {name!r}; there are {', '.join(bare)}, or a module's dotted path")
        short = [plugins.short(name) for name in self.metrics]
        if len(set(short)) < len(short):
            raise ValueError(f"metrics: two have the same name: {', '.join(self.metrics)}")
        for key, value in (self.model_extra or {}).items():
            if key not in short or not isinstance(value, dict):
                known = ", ".join([*type(self).model_fields, *(f"{name}: {{…}}" for name in short)])
                raise ValueError(f"{key}: unknown key; known keys: {known}")
        return self


class BenchmarkParams(Section):
    """Memory and time."""

    frames: Annotated[tuple[Positive, ...], Field(min_length=1)]
    """Lengths of a window."""
    batch_windows: Positive
    """Windows of a step, at these lengths."""
    repeats: Positive
    """Steps that are timed; medians."""
    long_frames: tuple[Positive, ...]
    """Further lengths, of one window, one step each; from them comes the exponent of memory."""
    memory_limit_gib: PositiveFloat
    """What a step may take; more is out of memory."""
    length_frames: Annotated[tuple[Positive, ...], Field(min_length=2)]
    """Lengths at which a block is compared with a Transformer layer, in training."""
    speed_repeats: Positive
    """Calls of each layer that are timed; medians."""
    stream_frames: Positive
    """Steps of a stream that are timed."""


class Params(Section):
    """params.yaml."""

    preset: str
    """Name of the last preset written; for people."""
    corpus: CorpusParams
    simulate: SimulateParams
    faces: FacesParams
    extract: ExtractParams
    cues: Annotated[dict[Name, CueParams], Field(min_length=1)]
    align: AlignParams
    window: WindowParams
    model: ModelParams
    variants: Annotated[dict[Name, dict[str, Any]], Field(min_length=1)]
    """Rows of the ablation: keys of `model` to change."""
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
        for name in self.variants:
            for cue in self.variant(name).cues or ():
                if cue not in self.cues:
                    raise ValueError(f"variants.{name}.cues: no cue {cue!r}; there are {', '.join(self.cues)}")
        for name in self.runs:
            split_run(name, self.variants)
        return self

    @property
    def simulated(self) -> bool:
        """Whether results speak of simulated people."""
        return "simulate" in self.corpus.sources

    def variant(self, name: str) -> ModelParams:
        """`model` with the overrides of a variant, validated again.

        Raises:
            InputError: No such variant.
        """
        if name not in self.variants:
            raise InputError(f"params.yaml: no variant {name!r}; there are {', '.join(self.variants)}")
        return ModelParams.model_validate({**self.model.model_dump(), **self.variants[name]})

    def groups(self) -> dict[Group, list[str]]:
        """Cues by modality group, in the order of params.yaml."""
        groups: dict[Group, list[str]] = {"audio": [], "visual": []}
        for name, cue in self.cues.items():
            groups[cue.group].append(name)
        return {group: names for group, names in groups.items() if names}

    @classmethod
    def load(cls, path: Path = Path("params.yaml")) -> "Params":
        """Read and validate.

        Raises:
            InputError: Missing file, broken YAML, unknown key, wrong type or value; one line a problem.
        """
        return read_section(cls, path)


def split_run(name: str, variants: Mapping[str, Any]) -> tuple[str, int]:
    """VARIANT-SEED -> (variant, seed).

    Raises:
        ValueError: Not of that form, or no such variant.
    """
    variant, _, seed = name.rpartition("-")
    if variant not in variants or not seed.isdecimal():
        raise ValueError(f"run {name!r} is not VARIANT-SEED with a variant of {', '.join(variants)}")
    return variant, int(seed)


def parse_section(kind: type[SectionT], values: Mapping[str, Any], where: str) -> SectionT:
    """Validate `values` as a `kind`; `where` names their place in messages.

    Raises:
        InputError: One line a problem, with the path of the key.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            key = ".".join(map(str, problem["loc"])) or "(whole)"
            known = "" if problem["type"] != "extra_forbidden" else _hint(kind, problem["loc"])
            got = (
                ""
                if problem["type"] in ("extra_forbidden", "missing", "value_error")
                else f", got {problem['input']!r}"
            )
            lines.append(f"{where}: {key}: {problem['msg']}{got}{known}")
        raise InputError("\n".join(lines)) from None


def _hint(kind: type[BaseModel], location: tuple[int | str, ...]) -> str:
    """Keys that stand where an unknown one was found."""
    for key in location[:-1]:
        field = kind.model_fields.get(str(key))
        inner = field.annotation if field else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return ""
        kind = inner
    return f"; known keys: {', '.join(kind.model_fields)}"


def read_section(kind: type[SectionT], path: Path) -> SectionT:
    """Read a YAML file as a `kind`; raises `InputError` as `parse_section` does."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf8"))
    except FileNotFoundError:
        raise InputError(f"{path}: not found; run from the repository's root") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected sections, found {type(values).__name__}")
    return parse_section(kind, values, path.name)
