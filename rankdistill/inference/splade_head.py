"""SPLADE's maximum over tokens taken before its activation and one text at a time: same numbers, little memory.

relu and log1p grow with their argument, so the largest logit of a vocabulary entry gives its largest activation. The
logits of a batch (tokens x vocabulary) are the bulk of such a model's memory; here they never exist all at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from rankdistill.inference.largest_logits import largest_logits

CPU_ENTRIES, GPU_ENTRIES = 2048, 1 << 20
"""Vocabulary entries whose logits exist at a time: on a CPU as many as stay in its cache."""

TOLERANCE = 1e-4

_PROBES = ["which river", "the deep river is slow and bright in the north", ""]


class MaxedLogits:
    """Pools hidden states that the vocabulary projection has yet to be applied to.

    Args:
        projection: hidden states -> logits, where its own `forward` no longer computes them.
        twice: whether the activation takes log1p twice.
    """

    def __init__(self, projection: nn.Linear, twice: bool) -> None:
        self.projection, self.twice = projection, twice

    def pool(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        """Put `sentence_embedding`, float[batch, vocabulary], into `features`."""
        hidden, mask = features["token_embeddings"], features["attention_mask"].bool()
        entries = CPU_ENTRIES if hidden.device.type == "cpu" else GPU_ENTRIES
        active = largest_logits(hidden, mask, self.projection, entries).relu().log1p()
        features["sentence_embedding"] = active.log1p() if self.twice else active
        return features


def pool_before_activation(model: Any) -> bool:
    """Let a loaded `SparseEncoder` pool in this way where it is SPLADE with maxima, and say whether it does.

    It trains so, too, and is saved as it was. A model that gives other numbers then is left as it was.
    """
    heads = list(_heads(model))
    if not heads:
        return False
    expected = _embeddings(model)
    for projection, pooling in heads:
        projection.forward = _unchanged
        pooling.forward = MaxedLogits(projection, pooling.activation_function == "log1p_relu").pool
    found = _embeddings(model)
    if found.shape == expected.shape and bool((found - expected).abs().max() <= TOLERANCE):
        return True
    for projection, pooling in heads:
        del projection.forward, pooling.forward
    return False


def pool_after_activation(model: Any) -> bool:
    """Undo `pool_before_activation`, as the library does it; whether there was anything to undo."""
    swapped = [pair for pair in _heads(model) if "forward" in vars(pair[0])]
    for projection, pooling in swapped:
        del projection.forward, pooling.forward
    return bool(swapped)


def _heads(model: Any) -> Iterator[tuple[Any, Any]]:
    """The vocabulary projection and the pooling of each SPLADE in `model`: the model itself, or routes of it."""
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sparse_encoder.modules import SpladePooling

    for modules in (one for one in model.modules() if isinstance(one, nn.Sequential) and len(one) == 2):
        if type(modules[0]) is not Transformer or type(modules[1]) is not SpladePooling:
            continue
        transformer: Any = modules[0].model
        projection = transformer.get_output_embeddings()
        if modules[1].pooling_strategy == "max" and isinstance(projection, nn.Linear):
            yield projection, modules[1]


def _unchanged(hidden: Tensor) -> Tensor:
    return hidden


def _embeddings(model: Any) -> Tensor:
    both = [
        encode(_PROBES, convert_to_sparse_tensor=False, show_progress_bar=False)
        for encode in (model.encode_query, model.encode_document)
    ]
    return torch.cat(both)
