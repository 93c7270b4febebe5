"""The largest logit of each vocabulary entry over the tokens of a text, with a gradient, a few tokens at a time.

The logits of a batch (tokens x vocabulary) never exist all at once, neither forwards nor for the backward pass: only
the token that gave the largest one has a gradient, so its place is all that has to be kept.
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
    tokens: int,
) -> Float[Tensor, "texts vocabulary"]:
    """`max_t (W h_t + b)` over the tokens that `mask` keeps, one or more a text.

    Of tokens with equal logits one takes the whole gradient. Under autocast the products are taken in its type.

    Args:
        hidden: what `projection` is applied to.
        mask: the tokens that count.
        projection: hidden states -> logits.
        tokens: how many tokens' logits exist at a time.
    """
    return _LargestLogits.apply(hidden, mask, projection.weight, projection.bias, tokens)


class _LargestLogits(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, mask: Tensor, weight: Tensor, bias: Tensor | None, tokens: int) -> Tensor:
        device = hidden.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype
        needed = any(ctx.needs_input_grad)
        with torch.autocast(device, enabled=False):
            states, table = hidden.to(dtype), weight.to(dtype)
            offset = None if bias is None else bias.to(dtype)
            found = [_largest(row, kept, table, offset, tokens, needed) for row, kept in zip(states, mask, strict=True)]
        if needed:
            ctx.save_for_backward(hidden, weight, torch.stack([places for _, places in found]))
            ctx.has_bias = bias is not None
        return torch.stack([values for values, _ in found])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        hidden, weight, places = ctx.saved_tensors
        gradient = gradients[0].to(weight.dtype)
        of_hidden, of_weight = torch.zeros_like(hidden), torch.zeros_like(weight)
        for row, (slope, chosen) in enumerate(zip(gradient, places, strict=True)):
            entries = slope.nonzero()[:, 0]
            at, slopes = chosen[entries].long(), slope[entries, None]
            of_hidden[row].index_add_(0, at, (slopes * weight[entries]).to(hidden.dtype))
            of_weight.index_add_(0, entries, slopes * hidden[row, at].to(weight.dtype))
        return of_hidden, None, of_weight, gradient.sum(dim=0) if ctx.has_bias else None, None


def _largest(
    hidden: Tensor, kept: Tensor, weight: Tensor, bias: Tensor | None, tokens: int, placed: bool
) -> tuple[Tensor, Tensor]:
    """The largest logits of one text, and, if `placed`, the token of each."""
    numbers = kept.nonzero()[:, 0].int()
    values = weight.new_full((len(weight),), -torch.inf)
    places = numbers.new_zeros(len(weight) if placed else 0)
    for some in numbers.split(tokens):
        logits = nn.functional.linear(hidden[some], weight, bias)
        if not placed:
            values = torch.maximum(values, logits.amax(dim=0))
            continue
        best, at = logits.max(dim=0)
        higher = best > values
        values, places = torch.where(higher, best, values), torch.where(higher, some[at], places)
    return values, places
