"""The manifest of the simulated corpora, from which `ingest` reads them like a user's own recordings."""

import csv
from collections.abc import Iterable
from pathlib import Path

from damamba.corpus.manifest_csv import COLUMNS
from damamba.files import whole_file
from damamba_sim.behaviour.channels import stream_names
from damamba_sim.corpora.plan import SessionPlan


def write_manifest(plans: Iterable[SessionPlan], path: Path, features_only: bool) -> None:
    """Write one row a participant; paths are relative to the manifest's folder, "" for a missing label.

    With `features_only`, rows name streams in place of media.
    """
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf8") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(("corpus", *COLUMNS, "streams"))
        for plan in plans:
            for member in plan.members:
                role = member.participant
                label = plan.path(role, "engagement.annotation.csv") if member.labelled else ""
                media = [plan.path(role, "video.mp4"), plan.path(role, "audio.wav")]
                streams = []
                if features_only:
                    media, streams = ["", ""], [f"{plan.folder}/{name}" for name in stream_names(role).values()]
                identity = plan.session, role, role, plan.split, plan.language, member.person
                rows.writerow((plan.corpus, *identity, *media, label, ";".join(streams)))
