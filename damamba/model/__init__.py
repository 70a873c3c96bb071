"""DA-Mamba as a torch module. The whole forward pass stands in `damamba.model.da_mamba`."""

from damamba.model.da_mamba import DAMamba, Output

__all__ = ["DAMamba", "Output"]
