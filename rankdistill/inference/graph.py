"""A sentence-transformers model as a plain torch module: token tensors in, one tensor out, ready to be traced."""

from __future__ import annotations

from typing import Any

import torch


class Graph(torch.nn.Module):
    """All modules of a sentence-transformers model (transformer, pooling, dense, normalise, head) in their order.

    Args:
        model: a `SentenceTransformer` or `CrossEncoder`.
        output: the feature to return: `sentence_embedding` or `scores`.
    """

    def __init__(self, model: Any, output: str) -> None:
        super().__init__()
        self.steps = torch.nn.ModuleList(model)
        self.output = output

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        token_type_ids: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """float[rows, dim] from int64[rows, tokens] each."""
        features: dict[str, Any] = {"input_ids": input_ids, "attention_mask": attention_mask, "modality": "text"}
        if token_type_ids is not None:
            features["token_type_ids"] = token_type_ids
        for step in self.steps:
            features = step(features)
        return features[self.output]
