"""Training: one loop in the open (`fit`), its state (`Run`), and the averaged weights (`Ema`)."""

from damamba.training.ema import Ema
from damamba.training.fit import fit
from damamba.training.optimizer import learning_rate
from damamba.training.run import Run, Step, run_key

__all__ = ["Ema", "Run", "Step", "fit", "learning_rate", "run_key"]
