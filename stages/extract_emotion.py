"""Stage extract for the cue `emotion`: the same as ``python stages/extract.py emotion``."""

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.argv.insert(1, "emotion")
    runpy.run_path(str(Path(__file__).with_name("extract.py")), run_name="__main__")
