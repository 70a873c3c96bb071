"""Stage extract_clip: video, face tracks -> data/features/<cue>, CLIP embedding of the face, one row a frame."""

import _root

from damamba.extractors.clip import Clip
from damamba.extractors.stage import extract_cue

if __name__ == "__main__":
    extract_cue(Clip)
