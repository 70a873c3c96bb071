"""Make `import torchvision` work beside a CPU build of torch.

Package registries offer torchvision linked to CUDA. Beside a CPU build of torch its extension cannot be loaded, and
`import torchvision` fails at the first operator that it registers ("operator torchvision::nms does not exist").
transformers and open_clip import torchvision for parts that damamba never calls, so schemas of those operators suffice.
"""

import importlib.util
from functools import cache
from pathlib import Path

SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


@cache  # also keeps the library alive, and with it the schemas
def declare_operators() -> object:
    """Declare torchvision's operators if its extension cannot; call this before importing transformers or open_clip."""
    import torch

    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return None
    for extension in Path(spec.origin).parent.glob("_C*.so"):
        try:
            torch.ops.load_library(str(extension))
            return None
        except OSError:  # a shared library of CUDA is missing
            break
    library = torch.library.Library("torchvision", "DEF")
    for schema in SCHEMAS:
        library.define(schema)
    return library
