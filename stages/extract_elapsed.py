"""Stage extract for the cue `elapsed`: the same as ``python stages/extract.py elapsed``."""

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.argv.insert(1, "elapsed")
    runpy.run_path(str(Path(__file__).with_name("extract.py")), run_name="__main__")
