"""Stage extract_official: streams of the challenge's release -> data/features/<cue>, one row a row of the stream."""

import _root

from damamba.extractors.official import Official
from damamba.extractors.stage import extract_cue

if __name__ == "__main__":
    extract_cue(Official)
