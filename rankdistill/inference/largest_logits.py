"""The largest logit of each vocabulary entry over the tokens of a text, with a gradient, a few entries at a time.

The logits of a batch (tokens x vocabulary) never exist all at once, neither forwards nor for the backward pass: only
the token that gave the largest one has a gradient, and it is looked for again, for the entries whose gradient is not 0.
After a relu these are few.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


def largest_logits(
    hidden: Float[Tensor, "texts tokens dim"],
    mask: Bool[Tensor, "texts tokens"],
    projection: nn.Linear,
    entries: int,
) -> Float[Tensor, "texts vocabulary"]:
    """`max_t (W h_t + b)` over the tokens that `mask` keeps, one or more a text.

    Of tokens with equal logits one takes the whole gradient. Under autocast the products are taken in its type.

    Args:
        hidden: what `projection` is applied to.
        mask: the tokens that count.
        projection: hidden states -> logits.
        entries: how many vocabulary entries' logits exist at a time.
    """
    return _LargestLogits.apply(hidden, mask, projection.weight, projection.bias, entries)


class _LargestLogits(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, mask: Tensor, weight: Tensor, bias: Tensor | None, entries: int) -> Tensor:
        device = hidden.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype
        with torch.autocast(device, enabled=False):
            states, parts = hidden.to(dtype), weight.to(dtype).split(entries)
            found = torch.stack([_largest(row[kept], parts) for row, kept in zip(states, mask, strict=True)])
            if bias is not None:
                found += bias.to(dtype)
        ctx.save_for_backward(hidden, mask, weight)
        ctx.has_bias = bias is not None
        return found

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        hidden, mask, weight = ctx.saved_tensors
        gradient = gradients[0].to(weight.dtype)
        of_hidden, of_weight = torch.zeros_like(hidden), torch.zeros_like(weight)
        for row, (slope, kept) in enumerate(zip(gradient, mask, strict=True)):
            at, tokens = slope.nonzero()[:, 0], kept.nonzero()[:, 0]
            states, vectors, slopes = hidden[row, tokens].to(weight.dtype), weight[at], slope[at, None]
            chosen = (states @ vectors.T).argmax(dim=0)
            of_hidden[row].index_add_(0, tokens[chosen], (slopes * vectors).to(hidden.dtype))
            of_weight.index_add_(0, at, slopes * states[chosen])
        return of_hidden, None, of_weight, gradient.sum(dim=0) if ctx.has_bias else None, None


def _largest(states: Tensor, parts: tuple[Tensor, ...]) -> Tensor:
    """The largest products of one text's states with each row of the parts of a weight."""
    return torch.cat([(states @ part.T).amax(dim=0) for part in parts])
