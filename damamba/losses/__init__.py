"""Terms of the loss, one file each, found by name; `total_loss` weighs and adds them."""

from damamba.losses.base import Loss, Prediction
from damamba.losses.total import make_losses, total_loss

__all__ = ["Loss", "Prediction", "make_losses", "total_loss"]
