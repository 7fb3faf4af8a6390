"""Half precision is raised before anything is summed, and stays raised."""

from __future__ import annotations

import torch
from torch import Tensor

_HALF = (torch.bfloat16, torch.float16)


def without_autocast(tensor: Tensor) -> torch.autocast:
    """Return a context in which an enclosing autocast does not turn products back into half precision."""
    return torch.autocast(tensor.device.type, enabled=False)


def raised(tensor: Tensor) -> Tensor:
    """Return a half-precision tensor as float32; float32 and float64 come back unchanged."""
    return tensor.float() if tensor.dtype in _HALF else tensor
