"""One session on disk: behaviour to sound, labels and truth; truth to video.

The order makes a session resumable: what is written last says that everything before it is whole. ``session.json``
follows sound, labels and truth; a video takes its name only when it is complete.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from damamba.config import LABEL_RATE_HZ, SimulateParams
from damamba.corpus.release import LANGUAGE_NAMES
from damamba.features.files import sha256, whole_file
from damamba.simulate.annotators import annotate, write_labels
from damamba.simulate.behaviour import Conversation, converse
from damamba.simulate.corpora import Member, SessionPlan
from damamba.simulate.espeak import Espeak
from damamba.simulate.faces import Actor
from damamba.simulate.render import CHANNELS, render_participant
from damamba.simulate.sound import amplify, delay, noise, reverberate, write_wav
from damamba.simulate.speech import Performance, Voice, perform
from damamba.simulate.traits import Traits
from damamba.simulate.turns import voice_channels
from damamba.simulate.visemes import mouth

TRUTH_SCHEMA = 1
CROSS_TALK_DB = -30.0
HEADSET_NOISE_DB, ROOM_NOISE_DB = -62.0, -56.0


@dataclass(frozen=True)
class Filming:
    """Flaws of the cameras; the defaults have none."""

    start_s: float = 0.0
    """The first picture comes this late."""
    dropped: float = 0.0
    """Share of pictures that were lost: a variable frame rate."""


@dataclass(frozen=True)
class Recording:
    """A session to be written."""

    plan: SessionPlan
    root: Path
    """Of the raw data."""
    params: SimulateParams
    face_model: Path
    filming: Filming = Filming()

    @property
    def truth(self) -> Path:
        """Folder of what labels and media were made from."""
        return self.root / "truth" / self.plan.corpus / self.plan.session

    @property
    def marker(self) -> Path:
        """Written when all but the videos is whole."""
        return self.truth / "session.json"

    def video(self, member: Member) -> Path:
        """A member's video."""
        return self.root / self.plan.path(member.participant, "video.mp4")

    def files(self) -> list[Path]:
        """All that a complete session consists of, the marker and the videos too."""
        plan = self.plan
        found = [self.root / plan.folder / "language.annotation.csv", self.marker]
        for member in plan.members:
            found += [self.root / plan.path(member.participant, "audio.wav"), self.video(member)]
            found.append(self.truth / f"{member.participant}.parquet")
            if member.labelled:
                found.append(self.root / plan.path(member.participant, "engagement.annotation.csv"))
        return found

    def key(self) -> str:
        """Hash of everything that the session's bytes depend on."""
        common = self.params.model_dump(include={"seed", "minutes", "width", "height", "fps"})
        described = {"plan": asdict(self.plan), "params": common, "filming": asdict(self.filming), "code": _code()}
        described["face_model"] = sha256(self.face_model)
        return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


@cache
def _code() -> str:
    """Hash of the simulator's sources and of the synthesiser's version."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(f"{path.name}:{sha256(path)}\n".encode())
    try:
        digest.update(version("espeakng-loader").encode())
    except PackageNotFoundError:
        digest.update(b"no voices")
    return digest.hexdigest()


def simulate_session(
    plan: SessionPlan, out: Path, params: SimulateParams, face_model: Path, filming: Filming = Filming()
) -> None:
    """Write one session in this process; keeps what is already there and right.

    Args:
        plan: Which session.
        out: Root of the raw data.
        params: Common parameters.
        face_model: MediaPipe's face landmarker, which holds the face mesh.
        filming: Flaws of the cameras.

    Raises:
        InputError: No voices, or no face model.
    """
    recording = Recording(plan, out, params, face_model, filming)
    record(recording)
    for member in plan.members:
        film((recording, member))


def record(recording: Recording) -> bool:
    """Write all of a session but its videos; False where that was there already, from the same key."""
    if _is_recorded(recording):
        return False
    for path in [recording.marker, *recording.files()]:
        path.unlink(missing_ok=True)
    plan, params = recording.plan, recording.params
    conversation = converse(
        plan.seed,
        len(plan.members),
        params.minutes,
        plan.language,
        roles=[member.participant for member in plan.members],
        standing=plan.standing,
    )
    frames = conversation.engagement.shape[1]
    performances = _perform(plan, conversation, frames / LABEL_RATE_HZ)
    _write_sound(recording, performances)
    _write_labels(recording, conversation)
    _write_truth(recording, conversation, performances)
    language = recording.root / plan.folder / "language.annotation.csv"
    language.write_text(f"0.00;{frames / LABEL_RATE_HZ:.2f};{LANGUAGE_NAMES[plan.language]};1.0\n", encoding="ascii")
    written = [path for path in recording.files() if path.suffix != ".mp4" and path != recording.marker]
    sizes = {path.relative_to(recording.root).as_posix(): path.stat().st_size for path in written}
    with whole_file(recording.marker) as temporary:
        temporary.write_text(json.dumps({"key": recording.key(), "bytes": sizes}, indent=1) + "\n")
    return True


def film(task: tuple[Recording, Member]) -> bool:
    """Render the video of one member of a recorded session; False where it is there already."""
    recording, member = task
    path, params = recording.video(member), recording.params
    if path.exists():  # `record` removes those of another key
        return False
    channels = read_truth(recording.truth / f"{member.participant}.parquet", CHANNELS)
    actor = Actor(member.seed, recording.face_model, params.width, params.height)
    seconds = len(channels["mouth"]) / LABEL_RATE_HZ
    pts_s = _presentation_times(recording.filming, params.fps, seconds, member.seed)
    render_participant(path, actor, channels, params.fps, pts_s)
    return True


def read_truth(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """True channels of a participant at 25 Hz, each (T,)."""
    table = pq.read_table(path, columns=list(names))
    return {name: table[name].to_numpy() for name in names}


def _is_recorded(recording: Recording) -> bool:
    try:
        marker = json.loads(recording.marker.read_text())
        return marker["key"] == recording.key() and all(
            (recording.root / name).stat().st_size == size for name, size in marker["bytes"].items()
        )
    except (FileNotFoundError, ValueError, KeyError):
        return False


def _perform(plan: SessionPlan, conversation: Conversation, seconds: float) -> list[Performance]:
    performances = []
    with Espeak() as espeak:
        for seat, member in enumerate(plan.members):
            voice = Voice.from_seed(member.seed, high=Traits.draw(member.seed).feminine)
            own = [phrase for phrase in conversation.phrases if phrase.speaker == seat]
            performances.append(perform(espeak, voice, plan.language, own, seconds, seed=plan.seed + seat))
    return performances


def _write_sound(recording: Recording, performances: list[Performance]) -> None:
    """A headset each, that hears the partner faintly; or one microphone in the room, the same file for every seat."""
    plan = recording.plan
    rng = np.random.default_rng((plan.seed, 3))
    waves = [performance.wave for performance in performances]
    if plan.shared_microphone:
        far = [delay(amplify(wave, rng.uniform(-1, 1)), rng.uniform(0.002, 0.008)) for wave in waves]
        room = reverberate(np.sum(far, axis=0), rng, rt60_s=0.45, direct_db=5)
        room = room + noise(len(room), rng, ROOM_NOISE_DB)
        mixes = [room] * len(waves)
    else:
        total = np.sum(waves, axis=0)
        mixes = []
        for wave in waves:
            leak = delay(amplify(reverberate(total - wave, rng, 0.35, 3), CROSS_TALK_DB), 0.005)
            own = reverberate(wave, rng, rt60_s=0.3, direct_db=14)
            mixes.append(own + leak + noise(len(wave), rng, HEADSET_NOISE_DB))
    for member, mix in zip(plan.members, mixes, strict=True):
        write_wav(recording.root / plan.path(member.participant, "audio.wav"), mix)


def _write_labels(recording: Recording, conversation: Conversation) -> None:
    plan = recording.plan
    for seat, member in enumerate(plan.members):
        values, valid = annotate(np.random.default_rng((plan.seed, 4, seat)), conversation.engagement[seat])
        if member.labelled:
            write_labels(recording.root / plan.path(member.participant, "engagement.annotation.csv"), values, valid)


def _write_truth(recording: Recording, conversation: Conversation, performances: list[Performance]) -> None:
    """``<participant>.parquet``: ``t_s``, ``engagement`` and every channel; row k is at k / 25 s."""
    people, frames = conversation.engagement.shape
    said = [phrase for performance in performances for phrase in performance.phrases]
    channels = {**conversation.channels, **voice_channels(said, people, frames)}
    metadata = {"damamba": json.dumps({"schema": TRUTH_SCHEMA, "rate_hz": LABEL_RATE_HZ})}
    for seat, (member, performance) in enumerate(zip(recording.plan.members, performances, strict=True)):
        opening, rounding = mouth(performance.phones, frames, LABEL_RATE_HZ)
        own = {name: track[seat] for name, track in channels.items()}
        own |= {"mouth": opening, "mouth_round": rounding}
        columns = {"t_s": pa.array(np.arange(frames) / LABEL_RATE_HZ)}
        for name, track in {"engagement": conversation.engagement[seat], **own}.items():
            columns[name] = pa.array(track > 0.5 if name == "present" else track.astype(np.float32))
        table = pa.table(columns).replace_schema_metadata(metadata)
        with whole_file(recording.truth / f"{member.participant}.parquet") as temporary:
            pq.write_table(table, temporary, compression="zstd")


def _presentation_times(filming: Filming, fps: float, seconds: float, seed: int) -> list[float]:
    times_s = filming.start_s + np.arange(round((seconds - filming.start_s) * fps)) / fps
    kept = np.random.default_rng((seed, 6)).random(len(times_s)) >= filming.dropped
    kept[:1] = True
    return times_s[kept].tolist()
