"""A session with media, except the videos: sound, truth and annotation.

The truth contains the channels as they are seen and heard: speech with the timing of the spoken words, the mouth with
their visemes, and whether the person is in the picture.
"""

import shutil
from pathlib import Path

import numpy as np

from damamba.config import LABEL_RATE_HZ
from damamba.files import whole_file
from damamba_sim.behaviour.conversation import Conversation
from damamba_sim.behaviour.traits import Traits
from damamba_sim.behaviour.turns import voice_channels
from damamba_sim.corpora.plan import SessionPlan
from damamba_sim.faces.filming import filming_of, presence, way_out
from damamba_sim.recording.annotation import write_annotation
from damamba_sim.recording.truth import write_truth
from damamba_sim.voices.espeak import Espeak
from damamba_sim.voices.sound import amplify, delay, level_and_pitch, microphone_signal, room_response, write_wav
from damamba_sim.voices.speech import Performance, Voice, perform
from damamba_sim.voices.visemes import mouth

CROSS_TALK_DB = -30.0
HEADSET_NOISE_DB, ROOM_NOISE_DB = -62.0, -56.0


def write_sound(plan: SessionPlan, root: Path, minutes: float, flaws: float) -> None:
    """Write sound, truth and annotation of a session below `root`, the raw data.

    Args:
        plan: The session.
        root: Folder of the raw data.
        minutes: Length.
        flaws: Share of participants on whom each kind of flaw falls.
    """
    conversation = plan.converse(minutes)
    performances = _perform(plan, conversation)
    _write_microphones(plan, root, performances)
    truth = _channels_in_media(plan, flaws, conversation, performances)
    for member, engagement, channels in zip(plan.members, conversation.engagement, truth, strict=True):
        write_truth(root / plan.truth_path(member.participant), engagement, channels)
    write_annotation(plan, root, conversation.engagement)


def _perform(plan: SessionPlan, conversation: Conversation) -> list[Performance]:
    seconds = conversation.engagement.shape[1] / LABEL_RATE_HZ
    performances = []
    with Espeak() as espeak:
        for seat, member in enumerate(plan.members):
            voice = Voice.from_seed(member.seed, high=Traits.draw(member.seed).feminine)
            own = [phrase for phrase in conversation.phrases if phrase.speaker == seat]
            performances.append(perform(espeak, voice, plan.language, own, seconds, seed=plan.seed + seat))
    return performances


def _write_microphones(plan: SessionPlan, root: Path, performances: list[Performance]) -> None:
    """A headset each, with the partner faintly in it; or one room microphone, with the same file for every seat."""
    rng = np.random.default_rng((plan.seed, 3))
    tapes = [performance.tape for performance in performances]
    files = [root / plan.path(member.participant, "audio.wav") for member in plan.members]
    if plan.shared_microphone:
        room = room_response(rng, rt60_s=0.35, direct_db=8)
        paths = [delay(amplify(room, rng.uniform(-1, 1)), rng.uniform(0.002, 0.008)) for _ in tapes]
        write_wav(files[0], microphone_signal(tapes, paths, rng, ROOM_NOISE_DB))
        for path in files[1:]:
            with whole_file(path) as temporary:
                shutil.copyfile(files[0], temporary)
        return
    for seat, path in enumerate(files):
        leak = delay(amplify(room_response(rng, rt60_s=0.35, direct_db=3), CROSS_TALK_DB), 0.005)
        own = room_response(rng, rt60_s=0.3, direct_db=14)
        paths = [own if k == seat else leak for k in range(len(tapes))]
        write_wav(path, microphone_signal(tapes, paths, rng, HEADSET_NOISE_DB))


def _channels_in_media(
    plan: SessionPlan, flaws: float, conversation: Conversation, performances: list[Performance]
) -> list[dict[str, np.ndarray]]:
    """Each participant's channels as the media show them."""
    people, frames = conversation.engagement.shape
    spoken = [phrase for performance in performances for phrase in performance.phrases]
    channels = {**conversation.channels, **voice_channels(spoken, people, frames)}
    by_member = []
    for seat, (member, performance) in enumerate(zip(plan.members, performances, strict=True)):
        opening, rounding = mouth(performance.phones, frames, LABEL_RATE_HZ)
        own = {name: track[seat] for name, track in channels.items()}
        own |= {"mouth": opening, "mouth_round": rounding}
        own["voice_level"], own["voice_f0"] = level_and_pitch(performance.tape, frames, LABEL_RATE_HZ)
        own["exit"] = way_out(filming_of(plan.corpus, member.number, member.seed, flaws), frames, member.seed)
        by_member.append(own | presence(own["exit"], own["hand"]))
    return by_member
