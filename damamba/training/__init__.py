"""Training: one loop in the open (`fit`), its state (`Run`), and the averaged weights (`Ema`)."""

from damamba.training.curve import Step
from damamba.training.ema import Ema
from damamba.training.fit import fit
from damamba.training.optimizer import learning_rate
from damamba.training.ranks import Ranks
from damamba.training.resume import run_key
from damamba.training.run import Run

__all__ = ["Ema", "Ranks", "Run", "Step", "fit", "learning_rate", "run_key"]
