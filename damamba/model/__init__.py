"""The models as torch modules. DA-Mamba's whole forward pass stands in `damamba.model.architectures.da_mamba`."""

from damamba.model.architectures.da_mamba import DAMamba
from damamba.model.base import EngagementModel, Output
from damamba.model.build import build_model, load_model
from damamba.model.recompute import recompute_blocks

__all__ = ["DAMamba", "EngagementModel", "Output", "build_model", "load_model", "recompute_blocks"]
