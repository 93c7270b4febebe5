"""tokenlearn: a model2vec table whose words are those of the texts, then trained to the teacher's vectors of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from common import make, static_model, texts
from model2vec.distill import distill
from tokenlearn.train import train_model
from tokenlearn.utils import create_vocab


def work(said: dict[str, Any]) -> Any:
    """As `tokenlearn.train` does it, with the vectors of the store in place of files."""
    read, vectors = texts(said)
    order = np.random.default_rng(said["seed"]).permutation(len(read))  # its held-out texts are the last ones
    read, vectors = [read[place] for place in order], vectors[order]
    dimensions = said.get("dimensions") or 256
    vocabulary = create_vocab(texts=read, vocab_size=said.get("words") or 56_000)
    start = distill(said["teacher"], vocabulary=vocabulary, device="cpu", quantize_to="float32", pca_dims=dimensions)
    model = train_model(start, read, vectors, device="cpu", pca_dims=dimensions)
    return static_model(np.asarray(model.embedding, dtype=np.float32), model.tokenizer)


if __name__ == "__main__":
    make(work)
