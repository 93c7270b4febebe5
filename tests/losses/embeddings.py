"""Embeddings for the tests of losses."""

from __future__ import annotations

import torch
from torch import Tensor


def vectors(seed: int, batch: int = 4, dim: int = 6) -> Tensor:
    return torch.randn(batch, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def unit(rows: Tensor) -> Tensor:
    return rows / rows.norm(dim=1, keepdim=True)
