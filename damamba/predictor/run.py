"""The passes of the pipeline over some videos: check, find faces, compute cues, align, predict."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from damamba import inference
from damamba.config import LABEL_RATE_HZ, MAIN, ExtractParams
from damamba.console import progress
from damamba.corpus.manifest import Manifest
from damamba.data.align import align_all
from damamba.data.batch import WindowReader
from damamba.data.causality import require_causal
from damamba.data.shards import Aligned
from damamba.features.health import read_notes
from damamba.files import only_one
from damamba.media.loudness import Loudness, read_loudness
from damamba.media.track import audio_of
from damamba.model.checkpoint import read_description
from damamba.model.heads import names_of
from damamba.predictor import SHIPPED
from damamba.predictor.inputs import ModelInputs
from damamba.predictor.passes import PROTOCOL, WORK, compute_cues, in_workers, list_videos, one_conversation, passes_of
from damamba.predictor.people import People, people_of
from damamba.predictor.progress import Passes
from damamba.predictor.result import OtherLabel, ParticipantPrediction, Prediction
from damamba.predictor.videos import CORPUS, Conversation
from damamba.scoring.series import missing_cues

SIMULATED = "simulated people, made by damamba_sim: what its scores are worth on real ones is not known"


def predict_videos(
    conversations: Sequence[Conversation],
    checkpoint: Path,
    out: Path,
    loop: ExtractParams,
    people_in: People | None = None,
) -> Prediction:
    """Engagement of the people in some conversations, at 25 Hz.

    Cues are kept below `out`: a second run over the same videos computes only what has changed.

    Args:
        conversations: One or more.
        checkpoint: Folder of a trained model.
        out: Folder of the results; holds the cues too.
        loop: Worker processes.
        people_in: How many people each video shows; None: one.

    Raises:
        InputError: A video or the model cannot be used, or another run works in `out`.
    """
    inputs = ModelInputs.of(checkpoint)
    work = out / WORK
    passes = passes_of(inputs.cues, "align", "sound", "predict", people=people_in is not None)
    with only_one(work / "lock", "damamba predict"):
        if people_in is not None:
            passes.begin("people")
            conversations = [people_of(one, people_in, inputs.faces, work) for one in conversations]
        named = {one.name: one for one in conversations}
        aligned = _aligned(named, inputs, work, loop, passes)
        inputs.check(aligned.cues)
        model, grid = inference.load_trained(checkpoint)
        require_causal(aligned, model.causal)
        reader = WindowReader(aligned, grid)
        people = {(session, one.name): one for session, each in named.items() for one in each.people}
        targets = [
            (session, number)
            for session in aligned.sessions
            for number, seat in enumerate(session.seats)
            if people[session.session, seat.participant].predicted
        ]
        passes.begin("sound")
        sounds = _sounds(work, loop)
        passes.begin("predict")
        classes = names_of(model.classes)
        found = []
        for session, number in progress(targets, "predict", unit="participant"):
            participant = session.seats[number].participant
            seen = {cue: ~missing for cue, missing in missing_cues(aligned, session, participant).items()}
            observed = np.any(list(seen.values()), axis=0)
            predicted = inference.predict_each(model, reader, session, number) if model.classes or model.further else {}
            added = {}
            if not model.classes:
                predicted[MAIN], added = inference.contributions(model, reader, session, number)
            predicted, added = (
                {name: _where(observed, x) for name, x in series.items()} for series in (predicted, added)
            )
            person = people[session.session, participant]
            sound = sounds.get((session.session, participant))
            found.append(
                ParticipantPrediction(
                    session.session,
                    participant,
                    person.video,
                    predicted.pop(MAIN),
                    seen,
                    added,
                    sound,
                    classes,
                    {name: OtherLabel(series, names_of(model.labels[name])) for name, series in predicted.items()},
                )
            )
    return Prediction(tuple(found), tuple(_notes(named, found, work)), _identity(checkpoint, inputs))


def _where(observed: np.ndarray, series: np.ndarray) -> np.ndarray:
    """(L,) or (L, K) float32, NaN where nothing was observed."""
    return np.where(observed if series.ndim == 1 else observed[:, None], series, np.nan).astype(np.float32)


def predict(
    *videos: Path | str,
    model: Path | str = SHIPPED,
    partners: Sequence[Path | str] = (),
    out: Path | str | None = None,
    jobs: int | None = None,
    people: People | None = None,
) -> Prediction:
    """Engagement of the people in one conversation, at 25 Hz: what ``damamba predict`` does, as an object.

    Args:
        videos: One a person.
        model: Folder of a trained model; by default that of the package.
        partners: Videos of people who are seen and heard, but not predicted.
        out: Folder in which cues are kept for the next call; None: a temporary one.
        jobs: Worker processes, 0 = one a core; then the calling script needs ``if __name__ == "__main__":``. None:
            everything in this process.
        people: How many people one video shows, or ``"all"`` who are found in it; None: one.

    Raises:
        InputError: A video or the model cannot be used.
    """
    with one_conversation(videos, partners, out, jobs) as (conversation, folder, loop):
        return predict_videos([conversation], Path(model), folder, loop, people)


def _aligned(
    named: dict[str, Conversation], inputs: ModelInputs, work: Path, loop: ExtractParams, passes: Passes
) -> Aligned:
    """The pipeline from videos to shards, below `work`."""
    passes.begin("check")
    manifest = list_videos(named, work, loop)
    like = {name: source.like(name) for name, source in inputs.sources.items()}
    compute_cues(inputs.cues, inputs.faces, work, loop, passes, like)
    passes.begin("align")
    features, corpus, aligned = (work / name for name in ("features", "corpus", "aligned"))
    run = in_workers(loop, "align")
    align_all(inputs.cues, inputs.align, PROTOCOL.name, manifest, features, corpus, aligned, run, training=False)
    return Aligned.read(aligned)


def _sounds(work: Path, loop: ExtractParams) -> dict[tuple[str, str], Loudness]:
    """Session and participant -> their sound; turns only where nobody else is in the same file."""
    people = [one for one in Manifest.read(work / "corpus/manifest.jsonl").participants if one.audio]
    measured = in_workers(loop, "sound")(read_loudness, [audio_of(one) for one in people])
    files = Counter((one.session, one.audio_sha256) for one in people)
    return {
        (one.session, one.participant): sound if files[one.session, one.audio_sha256] == 1 else replace(sound, turns=())
        for one, sound in zip(people, measured, strict=True)
    }


def _notes(named: dict[str, Conversation], found: Sequence[ParticipantPrediction], work: Path) -> Iterator[str]:
    """What was missing of whom."""
    defects = json.loads((work / "corpus/defects.json").read_text(encoding="utf8"))
    for one in defects["defects"]:
        yield f"{one['where'].removeprefix(f'{CORPUS}/')}: {one['what']}"
    yield from read_notes(work / "faces")
    for one in found:
        if np.isnan(one.engagement).all():
            yield f"{one.session}/{one.participant}: no cue was observed, neither a face nor a voice: no prediction"
            continue
        for cue, seen in one.cues.items():
            if not seen.all():
                share = f"observed {seen.mean():.0%} of the time" if seen.any() else "missing throughout"
                if seen.mean() >= 0.995:  # would read as 100 %
                    share = f"missing for {(~seen).sum() / LABEL_RATE_HZ:.2f} s"
                yield f"{one.session}/{one.participant}: {cue} is {share}"
    for name, conversation in named.items():
        if any(one.region for one in conversation.people):
            yield (
                f"{name}: {len(conversation.people)} people in one video, named from left to right; sound is shared: "
                "cues of speech hear everyone, and are the same for all of them"
            )
        if len(conversation.people) == 1:
            yield f"{name}: no partner; the model is used to seeing and hearing at least one"


def _identity(checkpoint: Path, inputs: ModelInputs) -> dict[str, Any]:
    described = read_description(checkpoint)
    kept = ("variant", "seed", "simulated", "delay", "versions")
    return {
        "folder": checkpoint.as_posix(),
        "weights": described.weights,
        "architecture": described.architecture,
        "rate_hz": described.rate_hz,
        **{key: described.extra[key] for key in kept if key in described.extra},
        "cues": {name: source.model_dump() for name, source in inputs.sources.items()},
        "trained on": SIMULATED if described.extra.get("simulated") else "recordings of real people",
    }
