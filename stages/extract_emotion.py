"""Stage extract_emotion: sound -> data/features/<cue>, emotion tokens, one row a hop."""

import _root

from damamba.extractors.emotion import Emotion
from damamba.extractors.stage import extract_cue

if __name__ == "__main__":
    extract_cue(Emotion)
