"""Stage extract_flow: video, face tracks -> data/features/<cue>, motion of the face, one row a pair of frames."""

import _root

from damamba.extractors.flow import Flow
from damamba.extractors.stage import extract_cue

if __name__ == "__main__":
    extract_cue(Flow)
