"""The video of one participant, from the true channels that `sound` has written."""

from pathlib import Path

import numpy as np

from damamba.config import LABEL_RATE_HZ, SimulateParams
from damamba_sim.corpora.plan import Member, SessionPlan
from damamba_sim.faces.actor import Actor
from damamba_sim.faces.filming import Filming, filming_of
from damamba_sim.faces.render import POSE_CHANNELS, render_participant
from damamba_sim.recording.truth import read_truth


def write_participant_video(
    plan: SessionPlan, member: Member, root: Path, params: SimulateParams, face_model: Path
) -> None:
    """Write the video of one participant below `root`, the raw data; `face_model` contains the face mesh."""
    channels = read_truth(root / plan.truth_path(member.participant), POSE_CHANNELS)
    filming = filming_of(plan.corpus, member.number, member.seed, params.flaws)
    actor = Actor(member.seed, face_model, *params.resolution, filming)
    seconds = len(channels["mouth"]) / LABEL_RATE_HZ
    pts_s = _presentation_times(filming, params.fps, seconds, member.seed)
    path = root / plan.path(member.participant, "video.mp4")
    render_participant(path, actor, channels, params.fps, pts_s, filming.crf)


def _presentation_times(filming: Filming, fps: float, seconds: float, seed: int) -> list[float]:
    times_s = filming.start_s + np.arange(round((seconds - filming.start_s) * fps)) / fps
    kept = np.random.default_rng((seed, 10)).random(len(times_s)) >= filming.dropped
    kept[:1] = True
    return times_s[kept].tolist()
