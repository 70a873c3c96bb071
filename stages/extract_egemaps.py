"""Stage extract_egemaps: sound -> data/features/<cue>, eGeMAPS functionals, one row a hop; needs the extra egemaps."""

import _root

from damamba.extractors.egemaps import Egemaps
from damamba.extractors.stage import extract_cue

if __name__ == "__main__":
    extract_cue(Egemaps)
