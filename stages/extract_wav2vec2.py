"""Stage extract_wav2vec2: sound -> data/features/CUE, hidden states of a speech encoder, one row per 20 ms."""

import _root

from damamba.features.stage import extract_cue

if __name__ == "__main__":
    extract_cue("wav2vec2")
