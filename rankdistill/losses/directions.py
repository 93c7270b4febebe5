"""Embeddings as directions: divided by their length, in single precision at least."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def directions(vectors: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
    """`v / |v|` of each row, as float32 or wider: half precision has too few digits for a mean over many texts.

    Args:
        vectors: [batch, dim], no row zero (`rankdistill.losses.vector_checks.require_directions`).
    """
    wide = vectors.to(torch.promote_types(vectors.dtype, torch.float32))
    return wide / wide.norm(dim=1, keepdim=True)
