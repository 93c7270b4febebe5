"""The back end in bfloat16 torch."""

from __future__ import annotations

from rankdistill.inference.backends.base import Backend, TokenModel
from rankdistill.inference.backends.torch_runtime import open_in


def open_backend(model: TokenModel, device: str) -> Backend:
    """The model on `device`."""
    import torch

    return open_in(torch.bfloat16, model, device)
