"""Stage extract_emotion: sound -> data/features/CUE, emotion tokens, one row per hop."""

import _root

from damamba.features.stage import extract_cue

if __name__ == "__main__":
    extract_cue("emotion")
