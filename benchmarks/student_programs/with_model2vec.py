"""model2vec's `distill` with its defaults: the teacher's vectors of the tokens of its vocabulary; it reads no texts."""

from __future__ import annotations

from typing import Any

import numpy as np
from common import make, static_model
from model2vec.distill import distill


def work(said: dict[str, Any]) -> Any:
    """256 dimensions by principal components, weighted by rank, as the library does it."""
    model = distill(said["teacher"], device="cpu", pca_dims=said.get("dimensions") or 256)
    return static_model(np.asarray(model.embedding, dtype=np.float32), model.tokenizer)


if __name__ == "__main__":
    make(work)
