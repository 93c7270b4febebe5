"""Embedding a training batch: token columns in, one vector a text out, with little padding."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.nn.utils.rnn import pad_sequence

CPU_GROUP, GPU_GROUP = 16, 128
"""Texts of similar length a forward pass."""

Features = Mapping[str, Any]
"""What the collator makes of a text column: `input_ids`, `attention_mask`, ... [batch, tokens], padded right; for a
static model `input_ids` [tokens of all texts] and `offsets` [batch]."""


def embed(model: nn.Module, features: Features) -> Float[Tensor, "texts dim"]:
    """The model's sentence embeddings, float32."""
    return model(dict(features))["sentence_embedding"].float()


def embed_sorted(model: nn.Module, features: Features) -> Float[Tensor, "texts dim"]:
    """As `embed`, in several forward passes over texts of similar length, each cut to its longest text.

    Documents of a batch differ several times in length: padding all to the longest doubles the tokens. On a CPU, passes
    over few texts also stay in its caches. A static model takes all texts as one row of tokens, so nothing is padded.
    """
    if "attention_mask" not in features:
        return embed(model, features)
    return in_length_groups(features, lambda part: embed(model, part))


def in_length_groups(features: Features, forward: Callable[[Features], Tensor]) -> Tensor:
    """`forward` of groups of texts of similar length, each cut to its longest text; rows in the order of the texts.

    Args:
        features: padded right.
        forward: features -> [texts, ...], one row a text, whatever the width of the features.
    """
    lengths = features["attention_mask"].sum(dim=1)
    order = lengths.argsort(stable=True)
    groups = -(-len(lengths) // (CPU_GROUP if lengths.device.type == "cpu" else GPU_GROUP))
    parts = []
    for chosen in order.tensor_split(groups):
        longest = int(lengths[chosen[-1]])
        parts.append(forward(map_tokens(features, lambda tokens, c=chosen, n=longest: tokens[c, :n])))
    return torch.cat(parts)[order.argsort()]


def stack_columns(columns: Sequence[Features], pad_token_id: int) -> dict[str, Any]:
    """Join token columns of `batch` texts each into one of `len(columns) * batch`, row by row: [row 0's texts, ...]."""
    if "offsets" in columns[0]:
        bags = [bag for row in zip(*(_bags(column) for column in columns), strict=True) for bag in row]
        sizes = torch.tensor([0, *(len(bag) for bag in bags[:-1])], device=bags[0].device)
        return dict(columns[0]) | {"input_ids": torch.cat(bags), "offsets": sizes.cumsum(0)}
    width = max(column["input_ids"].shape[1] for column in columns)

    def widen(column: Features, name: str) -> Tensor:
        missing = width - column[name].shape[1]
        return pad(column[name], (0, missing), value=pad_token_id if name == "input_ids" else 0)

    first = columns[0]
    token_names = [name for name, value in first.items() if _is_token_matrix(first, value)]
    joined = {name: torch.stack([widen(column, name) for column in columns], dim=1) for name in token_names}
    return dict(first) | {name: tokens.flatten(0, 1) for name, tokens in joined.items()}


def same_text(features: Features) -> Int[Tensor, " texts"]:
    """A number for each text, equal for texts of equal tokens."""
    tokens = features["input_ids"]
    if "attention_mask" in features:
        tokens = tokens.masked_fill(features["attention_mask"] == 0, -1)  # a text may end in the padding token itself
    if "offsets" in features:
        tokens = pad_sequence(list(_bags(features)), batch_first=True, padding_value=-1)
    return tokens.unique(dim=0, return_inverse=True)[1]


def _bags(features: Features) -> Sequence[Int[Tensor, " tokens"]]:
    """The tokens of each text of a static model."""
    return features["input_ids"].tensor_split(features["offsets"][1:].cpu())


def map_tokens(features: Features, change: Any) -> dict[str, Any]:
    """The features, of which what has a value for each token is `change(value)`, [texts, tokens]."""
    return {name: change(value) if _is_token_matrix(features, value) else value for name, value in features.items()}


def _is_token_matrix(features: Features, value: Any) -> bool:
    return isinstance(value, Tensor) and value.shape == features["input_ids"].shape
