"""Stage extract_wav2vec2: sound -> data/features/<cue>, hidden states of a speech encoder, one row a 20 ms frame."""

from damamba.extractors.wav2vec2 import Wav2Vec2
from damamba.features.extract import extract_cue

if __name__ == "__main__":
    extract_cue(Wav2Vec2)
