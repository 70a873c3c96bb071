"""One session on disk: behaviour to sound, labels and truth; truth to video.

The order makes a session resumable: what is written last says that everything before it is whole. ``session.json``
follows sound, labels and truth; a video takes its name only when it is complete.
"""

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from damamba.config import LABEL_RATE_HZ, SimulateParams
from damamba.corpus.release import LANGUAGE_NAMES
from damamba.files import sha256, whole_file
from damamba_sim.behaviour.annotators import annotate, write_labels
from damamba_sim.behaviour.channels import stream_names, write_streams
from damamba_sim.behaviour.conversation import Conversation
from damamba_sim.behaviour.traits import Traits
from damamba_sim.behaviour.turns import voice_channels
from damamba_sim.corpora import Member, SessionPlan
from damamba_sim.faces.actor import Actor
from damamba_sim.faces.filming import Filming, film_of, presence, way_out
from damamba_sim.faces.render import CHANNELS, render_participant
from damamba_sim.voices.espeak import Espeak
from damamba_sim.voices.sound import amplify, delay, listen_to, room_response, voice_as_heard, write_wav
from damamba_sim.voices.speech import Performance, Voice, perform
from damamba_sim.voices.visemes import mouth

TRUTH_SCHEMA = 1
CROSS_TALK_DB = -30.0
HEADSET_NOISE_DB, ROOM_NOISE_DB = -62.0, -56.0


@dataclass(frozen=True)
class Recording:
    """A session to be written."""

    plan: SessionPlan
    root: Path
    """Of the raw data."""
    params: SimulateParams
    face_model: Path

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

    def filming(self, member: Member) -> Filming:
        """A member's camera and its flaws."""
        return film_of(self.plan.corpus, member.number, member.seed, self.params.flaws)

    def files(self) -> list[Path]:
        """All that a complete session consists of, the marker and the videos too."""
        plan = self.plan
        found = [self.root / plan.folder / "language.annotation.csv", self.marker]
        for member in plan.members:
            if self.params.features_only:
                headers = stream_names(member.participant).values()
                found += [self.root / plan.folder / f"{name}{end}" for name in headers for end in ("", "~")]
            else:
                found += [self.root / plan.path(member.participant, "audio.wav"), self.video(member)]
            found.append(self.truth / f"{member.participant}.parquet")
            if member.labelled:
                found.append(self.root / plan.path(member.participant, "engagement.annotation.csv"))
        return found

    def key(self) -> str:
        """Hash of everything that the session's bytes depend on."""
        common = self.params.model_dump(include={"seed", "minutes", "resolution", "fps", "flaws", "features_only"})
        described = {"plan": asdict(self.plan), "params": common, "code": _code()}
        if not self.params.features_only:
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


def simulate_session(plan: SessionPlan, out: Path, params: SimulateParams, face_model: Path) -> None:
    """Write one session in this process; keeps what is already there and right.

    Args:
        plan: Which session.
        out: Root of the raw data.
        params: Common parameters.
        face_model: MediaPipe's face landmarker, which holds the face mesh.

    Raises:
        InputError: No voices, or no face model.
    """
    recording = Recording(plan, out, params, face_model)
    record(recording)
    for member in plan.members:
        film((recording, member))


def record(recording: Recording) -> bool:
    """Write all of a session but its videos; False where that was there already, from the same key."""
    if _is_recorded(recording):
        return False
    for path in [recording.marker, *recording.files()]:
        path.unlink(missing_ok=True)
    plan = recording.plan
    conversation = plan.converse(recording.params.minutes)
    frames = conversation.engagement.shape[1]
    if recording.params.features_only:
        truth = []
        for seat, member in enumerate(plan.members):
            truth.append({name: track[seat] for name, track in conversation.channels.items()})
            write_streams(recording.root / plan.folder, member.participant, conversation, seat)
    else:
        performances = _perform(plan, conversation, frames / LABEL_RATE_HZ)
        _write_sound(recording, performances)
        truth = _as_filmed(recording, conversation, performances)
    for member, engagement, channels in zip(plan.members, conversation.engagement, truth, strict=True):
        _write_truth(recording.truth / f"{member.participant}.parquet", engagement, channels)
    _write_labels(recording, conversation)
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
    filming = recording.filming(member)
    actor = Actor(member.seed, recording.face_model, *params.resolution, filming)
    seconds = len(channels["mouth"]) / LABEL_RATE_HZ
    pts_s = _presentation_times(filming, params.fps, seconds, member.seed)
    render_participant(path, actor, channels, params.fps, pts_s, filming.crf)
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
    tapes = [performance.tape for performance in performances]
    files = [recording.root / plan.path(member.participant, "audio.wav") for member in plan.members]
    if plan.shared_microphone:
        room = room_response(rng, rt60_s=0.35, direct_db=8)
        paths = [delay(amplify(room, rng.uniform(-1, 1)), rng.uniform(0.002, 0.008)) for _ in tapes]
        write_wav(files[0], listen_to(tapes, paths, rng, ROOM_NOISE_DB))
        for path in files[1:]:
            with whole_file(path) as temporary:
                shutil.copyfile(files[0], temporary)
        return
    for seat, path in enumerate(files):
        leak = delay(amplify(room_response(rng, rt60_s=0.35, direct_db=3), CROSS_TALK_DB), 0.005)
        own = room_response(rng, rt60_s=0.3, direct_db=14)
        paths = [own if k == seat else leak for k in range(len(tapes))]
        write_wav(path, listen_to(tapes, paths, rng, HEADSET_NOISE_DB))


def _write_labels(recording: Recording, conversation: Conversation) -> None:
    plan = recording.plan
    for seat, member in enumerate(plan.members):
        values, valid = annotate(np.random.default_rng((plan.seed, 4, seat)), conversation.engagement[seat])
        if member.labelled:
            write_labels(recording.root / plan.path(member.participant, "engagement.annotation.csv"), values, valid)


def _as_filmed(
    recording: Recording, conversation: Conversation, performances: list[Performance]
) -> list[dict[str, np.ndarray]]:
    """Each member's channels as voice and camera have them: the voice's own timing and visemes, who is in sight."""
    people, frames = conversation.engagement.shape
    said = [phrase for performance in performances for phrase in performance.phrases]
    channels = {**conversation.channels, **voice_channels(said, people, frames)}
    filmed = []
    for seat, (member, performance) in enumerate(zip(recording.plan.members, performances, strict=True)):
        opening, rounding = mouth(performance.phones, frames, LABEL_RATE_HZ)
        own = {name: track[seat] for name, track in channels.items()}
        own |= {"mouth": opening, "mouth_round": rounding}
        own["voice_level"], own["voice_f0"] = voice_as_heard(performance.tape, frames, LABEL_RATE_HZ)
        own["exit"] = way_out(recording.filming(member), frames, member.seed)
        filmed.append(own | presence(own["exit"], own["hand"]))
    return filmed


def _write_truth(path: Path, engagement: np.ndarray, channels: dict[str, np.ndarray]) -> None:
    """``<participant>.parquet``: ``t_s``, ``engagement`` and every channel; row k is at k / 25 s."""
    columns = {"t_s": pa.array(np.arange(len(engagement)) / LABEL_RATE_HZ)}
    for name, track in {"engagement": engagement, **channels}.items():
        columns[name] = pa.array(track if track.dtype == bool else track.astype(np.float32))
    metadata = {"damamba": json.dumps({"schema": TRUTH_SCHEMA, "rate_hz": LABEL_RATE_HZ})}
    with whole_file(path) as temporary:
        pq.write_table(pa.table(columns).replace_schema_metadata(metadata), temporary, compression="zstd")


def _presentation_times(filming: Filming, fps: float, seconds: float, seed: int) -> list[float]:
    times_s = filming.start_s + np.arange(round((seconds - filming.start_s) * fps)) / fps
    kept = np.random.default_rng((seed, 10)).random(len(times_s)) >= filming.dropped
    kept[:1] = True
    return times_s[kept].tolist()
