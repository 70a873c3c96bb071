"""Stage extract_egemaps: sound -> data/features/CUE, eGeMAPS functionals, one row per hop; needs the extra egemaps."""

import _root

from damamba.features.stage import extract_cue

if __name__ == "__main__":
    extract_cue("egemaps")
