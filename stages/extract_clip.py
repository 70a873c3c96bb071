"""Stage extract_clip: video, face tracks -> data/features/CUE, CLIP embedding of the face, one row per frame."""

import _root

from damamba.features.stage import extract_cue

if __name__ == "__main__":
    extract_cue("clip")
