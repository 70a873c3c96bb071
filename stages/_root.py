"""The first import of every stage: the code beside the stage runs, whatever the environment has installed."""

import os
import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parent.parent)

if sys.path[0] != ROOT:
    sys.path.insert(0, ROOT)
    # processes that Python starts through a command line read this instead
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))
