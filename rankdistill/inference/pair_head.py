"""A pair head: a small network that scores a query and a document from their two vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from jaxtyping import Float
from sentence_transformers.base.modules.module import Module
from torch import Tensor, nn

from rankdistill import files, integrity, plain_json
from rankdistill.inference.loading import PAIR_HEAD

PAIRS_AT_ONCE = 8192


class PairHead(Module):
    """`s(u, v) = w2 . relu(W1 [u, v, u * v, |u - v|] + b1) + b2`.

    It leaves a model's vectors as they are: it is the last of the model's modules while it is trained, and a file
    beside a plain model afterwards.

    Args:
        dimension: length of a vector.
        width: hidden units.
        rescaled: bring vectors to the length sqrt(dimension) first, for models that are compared by cosine.

    Source: Barkan et al. 2020, arXiv 1908.05161 (DSE).
    """

    config_keys: ClassVar[list[str]] = ["dimension", "width", "rescaled"]

    def __init__(self, dimension: int, width: int, rescaled: bool) -> None:
        super().__init__()
        self.dimension, self.width, self.rescaled = dimension, width, rescaled
        self.hidden = nn.Linear(4 * dimension, width)
        self.output = nn.Linear(width, 1)

    def forward(self, features: dict[str, Any]) -> dict[str, Any]:
        """The features, as they are."""
        return features

    def score(
        self, queries: Float[Tensor, "... dimension"], documents: Float[Tensor, "... dimension"]
    ) -> Float[Tensor, "..."]:
        """The score of each query vector with the document vector at its place; leading dimensions broadcast."""
        if self.rescaled:
            queries, documents = (
                nn.functional.normalize(side, dim=-1) * self.dimension**0.5 for side in (queries, documents)
            )
        queries, documents = torch.broadcast_tensors(queries, documents)
        pair = torch.cat([queries, documents, queries * documents, (queries - documents).abs()], dim=-1)
        return self.output(self.hidden(pair).relu()).squeeze(-1)

    def score_vectors(self, queries: np.ndarray, documents: np.ndarray) -> np.ndarray:
        """Scores of cached vectors, float32[n]; both sides are float32[n, dimension]."""
        scores = np.empty(len(queries), np.float32)
        with torch.inference_mode():
            for start in range(0, len(queries), PAIRS_AT_ONCE):
                block = slice(start, start + PAIRS_AT_ONCE)
                sides = (torch.from_numpy(np.ascontiguousarray(side[block])) for side in (queries, documents))
                scores[block] = self.score(*sides).numpy()
        return scores

    def save(self, output_path: str, *args: Any, safe_serialization: bool = True, **kwargs: Any) -> None:
        """Write it as the library writes a module."""
        self.save_config(output_path)
        self.save_torch_weights(output_path, safe_serialization=safe_serialization)

    @classmethod
    def load(cls, model_name_or_path: str, subfolder: str = "", **kwargs: Any) -> Self:
        """Read what `save` wrote."""
        folder = Path(model_name_or_path) / subfolder
        config = cls.load_config(str(folder))
        return cls.load_torch_weights(str(folder), model=cls(**config))


def write(head: PairHead, folder: Path) -> None:
    """Write `head` into the folder of the model whose vectors it scores."""
    from safetensors.torch import save_file

    settings = {name: getattr(head, name) for name in PairHead.config_keys}
    tensors = {name: value.contiguous().cpu() for name, value in head.state_dict().items()}
    with files.atomic_path(folder / PAIR_HEAD) as temporary:
        save_file(tensors, str(temporary), metadata={"settings": json.dumps(settings)})


def read(folder: Path) -> PairHead:
    """What `write` wrote."""
    from safetensors import safe_open

    with safe_open(str(integrity.require(folder / PAIR_HEAD)), framework="pt") as stored:
        head = PairHead(**plain_json.loads(stored.metadata()["settings"]))
        head.load_state_dict({name: stored.get_tensor(name) for name in stored.keys()})  # noqa: SIM118
    return head.eval()
