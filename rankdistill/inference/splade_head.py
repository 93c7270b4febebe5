"""SPLADE's maximum over tokens taken before its activation and a few tokens at a time: same numbers, little memory.

relu and log1p grow with their argument, so the largest logit of a vocabulary entry gives its largest activation. The
logits of a batch (tokens x vocabulary) are the bulk of such a model's memory; here they never exist all at once.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

CPU_TOKENS, GPU_TOKENS = 64, 4096
"""Tokens whose logits exist at a time."""

TOLERANCE = 1e-4

_PROBES = ["which river", "the deep river is slow and bright in the north", ""]


class MaxedLogits(nn.Module):
    """Pools hidden states that the vocabulary projection has yet to be applied to.

    Args:
        projection: hidden states -> logits, where its own `forward` no longer computes them.
        twice: whether the activation takes log1p twice.
    """

    def __init__(self, projection: nn.Linear, twice: bool) -> None:
        super().__init__()
        self.projection, self.twice = projection, twice

    def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        """Put `sentence_embedding`, float[batch, vocabulary], into `features`."""
        hidden, mask = features["token_embeddings"], features["attention_mask"].bool()
        tokens = CPU_TOKENS if hidden.device.type == "cpu" else GPU_TOKENS
        largest = torch.stack([self._largest(row[kept], tokens) for row, kept in zip(hidden, mask, strict=True)])
        active = largest.relu().log1p()
        features["sentence_embedding"] = active.log1p() if self.twice else active
        return features

    def _largest(self, hidden: Tensor, tokens: int) -> Tensor:
        weight, bias = self.projection.weight, self.projection.bias
        pieces = [nn.functional.linear(some, weight, bias).amax(dim=0) for some in hidden.split(tokens)]
        return torch.stack(pieces).amax(dim=0)


def pool_before_activation(model: Any) -> bool:
    """Let a loaded `SparseEncoder` pool in this way if it is a plain SPLADE model with maxima, and say whether it does.

    A model that gives other numbers then is left as it was.
    """
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sparse_encoder.modules import SpladePooling

    if len(model) != 2 or type(model[0]) is not Transformer or type(model[1]) is not SpladePooling:
        return False
    pooling, projection = model[1], model[0].model.get_output_embeddings()
    if pooling.pooling_strategy != "max" or not isinstance(projection, nn.Linear):
        return False
    expected = _embeddings(model)
    _pass_through(projection)
    model[1] = MaxedLogits(projection, pooling.activation_function == "log1p_relu")
    found = _embeddings(model)
    if found.shape == expected.shape and bool((found - expected).abs().max() <= TOLERANCE):
        return True
    del projection.forward
    model[1] = pooling
    return False


def _pass_through(layer: Any) -> None:
    """Let `layer` give what it is given, until its attribute `forward` is deleted."""
    layer.forward = lambda hidden: hidden


def _embeddings(model: Any) -> Tensor:
    return model.encode(_PROBES, convert_to_sparse_tensor=False, show_progress_bar=False)
