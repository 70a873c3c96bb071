"""Stage extract_official: streams of the challenge's release -> data/features/CUE, one row per row of the stream."""

import _root

from damamba.features.stage import extract_cue

if __name__ == "__main__":
    extract_cue("official")
