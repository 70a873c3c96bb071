"""Stage extract for the cue `clip`: the same as ``python stages/extract.py clip``."""

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.argv.insert(1, "clip")
    runpy.run_path(str(Path(__file__).with_name("extract.py")), run_name="__main__")
