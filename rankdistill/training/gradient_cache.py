"""Batches larger than memory: texts are embedded some at a time, and no activation is kept for the gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

Forward = Callable[..., Mapping[str, Any]]


@contextmanager
def cached(model: nn.Module, texts: int | None) -> Iterator[None]:
    """Within the block `model` takes at most `texts` at a time, and computes activations again in the backward pass.

    The loss is over the embeddings of the whole batch, so its gradient with respect to them is exact; what lies below
    an embedding is computed twice, a part of the batch at a time, with the random state of the first time (dropout).
    That is GradCache (Gao et al. 2021, arXiv 2101.06983), by torch's own activation checkpoints of each part. It lies
    inside the model's own `forward`, as what several processes wrap the model in counts how often that is called.

    Args:
        model: takes features, [texts, tokens], padded. A table of token vectors keeps none, and is left alone.
        texts: None leaves the model as it is.
    """
    if texts is None:
        yield
        return
    before = model.__dict__.get("forward")
    model.__dict__["forward"] = _in_parts(model.forward, texts)
    try:
        yield
    finally:
        del model.__dict__["forward"]
        if before is not None:
            model.__dict__["forward"] = before


def _in_parts(forward: Forward, texts: int) -> Forward:
    def once(features: Mapping[str, Any], **given: Any) -> Mapping[str, Any]:
        return forward(dict(features), **given)  # which writes into it; a part is kept until it is computed again

    def called(features: Mapping[str, Any], **given: Any) -> Mapping[str, Any]:
        mask = features.get("attention_mask")
        if mask is None or not torch.is_grad_enabled():
            return forward(features, **given)
        count = len(mask)
        parts = [_some(features, count, start, texts) for start in range(0, count, texts)]
        done = [checkpoint(once, part, use_reentrant=False, **given) for part in parts]
        return done[0] if len(done) == 1 else _joined(done, [len(part["attention_mask"]) for part in parts])

    return called


def _some(features: Mapping[str, Any], count: int, start: int, texts: int) -> dict[str, Any]:
    """The features of some texts; what belongs to no text stays."""
    return {
        name: value[start : start + texts] if _is_of_texts(value, count) else value for name, value in features.items()
    }


def _joined(parts: Sequence[Mapping[str, Any]], counts: Sequence[int]) -> dict[str, Any]:
    first = parts[0]
    return {
        name: torch.cat([part[name] for part in parts]) if _is_of_texts(value, counts[0]) else value
        for name, value in first.items()
    }


def _is_of_texts(value: Any, count: int) -> bool:
    return isinstance(value, Tensor) and value.ndim > 0 and len(value) == count
