"""Stage extract_flow: video, face tracks -> data/features/CUE, motion of the face, one row per pair of frames."""

import _root

from damamba.features.stage import extract_cue

if __name__ == "__main__":
    extract_cue("flow")
