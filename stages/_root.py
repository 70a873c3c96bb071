"""The first import of every stage: the code beside the stage runs, whatever the environment has installed."""

import os
import signal
import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parent.parent)

runs = Path(sys.argv[0]).resolve().parent == Path(__file__).resolve().parent
if runs and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while packages are imported ends without a traceback

if sys.path[0] != ROOT:
    sys.path.insert(0, ROOT)
    # processes that Python starts through a command line read this instead
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))
