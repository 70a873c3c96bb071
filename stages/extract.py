"""Stage extract: media of every participant -> data/features/CUE, one feature stream per participant.

``python stages/extract.py CUE [--session ID] [--jobs N]``, with CUE a key under `cues` in params.yaml.
"""

import _root

from damamba.features.stage import extract_cue

if __name__ == "__main__":
    extract_cue()
