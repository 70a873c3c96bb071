"""A session without media: its channels as feature streams, with truth and annotation."""

from pathlib import Path

from damamba_sim.behaviour.channels import write_streams
from damamba_sim.corpora.plan import SessionPlan
from damamba_sim.recording.annotation import write_annotation
from damamba_sim.recording.truth import write_truth


def write_channels(plan: SessionPlan, root: Path, minutes: float) -> None:
    """Write a session of this length below `root`, the raw data."""
    conversation = plan.converse(minutes)
    for seat, member in enumerate(plan.members):
        write_streams(root / plan.folder, member.participant, conversation, seat)
        channels = {name: track[seat] for name, track in conversation.channels.items()}
        write_truth(root / plan.truth_path(member.participant), conversation.engagement[seat], channels)
    write_annotation(plan, root, conversation.engagement)
