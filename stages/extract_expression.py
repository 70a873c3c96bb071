"""Stage extract for the cue `expression`: the same as ``python stages/extract.py expression``."""

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.argv.insert(1, "expression")
    runpy.run_path(str(Path(__file__).with_name("extract.py")), run_name="__main__")
