"""What a trained model needs of a video: its cues, how they are computed, and the grid that they stand on."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from damamba import plugins
from damamba.config import EXTRACTORS, AlignParams, CueParams, FacesParams, Name, Section, parse_section
from damamba.console import InputError
from damamba.data.shards import Cue
from damamba.encoders.checkpoint import local_folder, revision_of
from damamba.encoders.compact_whisper import provide_encoder
from damamba.features.extractor import Extractor
from damamba.model.checkpoint import read_description


class CueSource(Section):
    """Which encoder a cue came from, in training."""

    group: str
    width: int
    extractor: str
    checkpoint: str
    revision: str
    lookahead_s: float | None

    def like(self, name: str) -> dict[str, Any]:
        """What the streams of the cue say of themselves; for people who lack what it is computed from."""
        said = {key: getattr(self, key) for key in ("extractor", "checkpoint", "revision", "lookahead_s")}
        return {**said, "rate_hz": 0.0, "channels": [f"{name}_{i}" for i in range(self.width)]}


class ModelInputs(Section):
    """Stands in ``model.json`` under ``inputs``; the stage `train` writes it."""

    cues: dict[Name, CueParams]
    """The cues that the model uses, as they stood in params.yaml."""
    sources: dict[Name, CueSource]
    faces: FacesParams
    align: AlignParams

    @classmethod
    def of(cls, checkpoint: Path) -> "ModelInputs":
        """Read them from a checkpoint.

        Raises:
            InputError: It is damaged or has none, or a cue cannot be computed from a video.
        """
        inputs = read_description(checkpoint).extra.get("inputs")
        if inputs is None:
            raise InputError(
                f"{checkpoint / 'model.json'}: does not say how its cues are computed; it comes from an earlier "
                "version: train the model again"
            )
        found = parse_section(cls, inputs, f"{checkpoint / 'model.json'}: inputs")
        provide_encoder(found.cues)
        for name, cue in found.cues.items():
            if found.extractor(name).media == "streams":
                raise InputError(
                    f"{checkpoint}: its cue {name} is a stream that came with a corpus ({cue.extractor}), which no "
                    "video contains; predict with a model that was trained on cues of the preset compact or upstream"
                )
            found._check_encoder(name)
        return found

    def _check_encoder(self, name: str) -> None:
        """Raise InputError where the folder of an encoder holds other weights than in training: before any work."""
        settings, expected = self.cues[name].settings(), self.sources[name].revision
        checkpoint = settings.get("checkpoint")
        if not checkpoint or local_folder(checkpoint) is None:
            return  # the hub is asked for the revision itself
        if (revision := revision_of(checkpoint, None)) != expected:
            raise InputError(
                f"cue {name}: {checkpoint} has other weights ({revision}) than in training ({expected}); "
                "install the version of damamba that trained it, or train the model again"
            )

    def extractor(self, cue: str) -> type[Extractor]:
        """Class that computes a cue."""
        return plugins.find(EXTRACTORS, self.cues[cue].extractor, Extractor)

    def check(self, cues: Mapping[str, Cue]) -> None:
        """Compare the encoders of some shards with those of training.

        Raises:
            InputError: One differs; says which.
        """
        for name, source in self.sources.items():
            found, expected = asdict(cues[name]), source.model_dump()
            differing = [key for key in ("extractor", "checkpoint", "revision", "width") if found[key] != expected[key]]
            if differing:
                lines = ", ".join(f"{key} {found[key]!r} instead of {expected[key]!r}" for key in differing)
                raise InputError(
                    f"cue {name}: not the encoder that the model was trained with ({lines}); install the version of "
                    "damamba that trained it, or train the model again"
                )
