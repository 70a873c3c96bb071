"""Stage extract for the cue `wav2vec2`: the same as ``python stages/extract.py wav2vec2``."""

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.argv.insert(1, "wav2vec2")
    runpy.run_path(str(Path(__file__).with_name("extract.py")), run_name="__main__")
