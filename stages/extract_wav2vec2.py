"""Stage extract_wav2vec2: sound -> data/features/<cue>, hidden states of a speech encoder, one row a 20 ms frame."""

import _root

from damamba.extractors.stage import extract_cue
from damamba.extractors.wav2vec2 import Wav2Vec2

if __name__ == "__main__":
    extract_cue(Wav2Vec2)
