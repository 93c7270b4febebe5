"""Narrower students: a BERT-like encoder with a smaller hidden size, fewer heads and fewer feed-forward units.

The hidden vectors of all layers are written in one orthonormal basis of the wanted size: their principal directions, or
the units of most variance. Weights are carried over into that basis; a layer norm does not commute with it, so the
scale and shift of each are fitted, from the first to the last, to what the wide encoder gives at that place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from rankdistill.errors import ConfigError, ModelReferenceError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor

FAMILIES = ("bert", "roberta", "xlm-roberta", "camembert")
"""Kinds of encoder (`model_type`) whose modules carry BERT's names."""


@dataclass(frozen=True)
class _Kept:
    """What of a wide encoder stays: a basis [wide, narrow], and per layer the attention and feed-forward units."""

    basis: Tensor
    attention: Sequence[Tensor]
    feed_forward: Sequence[Tensor]


def narrow(model: SentenceTransformer, hidden_size: int, texts: Sequence[str], how: Literal["rotate", "prune"]) -> None:
    """Give `model`, in place, an encoder of hidden size `hidden_size`; its vectors have that dimension then.

    The feed-forward size shrinks by the same share, the size of a head stays.

    Args:
        model: a BERT-like encoder, pooling, and perhaps a normalisation.
        hidden_size: a multiple of the size of a head, below the present hidden size.
        texts: a few dozen, whose activations decide what is kept.
        how: `rotate` onto the principal directions (truncated SVD) of the activations, or `prune` hidden units.

    Raises:
        ConfigError: the size cannot be reached, or there is no text.
        ModelReferenceError: another architecture, or further modules behind the pooling.
    """
    import torch

    wide = _encoder(model)
    _require_size(hidden_size, wide.config, texts)
    wide.eval()
    with torch.no_grad():
        batch = model.preprocess(list(texts))
        tokens = {name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids") if name in batch}
        kept = _choose(wide, tokens, hidden_size, how)
        small = _carry_over(wide, kept, hidden_size)
        _fit_norms(wide, small, kept.basis, tokens)
    model[0].model = small
    _resize_pooling(model, hidden_size)


def is_possible(model: SentenceTransformer) -> bool:
    """Whether the encoder of `model` can be narrowed at all."""
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    kinds = [type(module) for module in model if not isinstance(module, Normalize)]
    encoder = model.transformers_model
    return kinds == [Transformer, Pooling] and encoder is not None and encoder.config.model_type in FAMILIES


def _encoder(model: SentenceTransformer) -> Any:
    from sentence_transformers.sentence_transformer.modules import Normalize

    kinds = [type(module) for module in model if not isinstance(module, Normalize)]
    encoder = model.transformers_model
    if is_possible(model):
        return encoder
    raise ModelReferenceError(
        expected=f"an encoder of one of the kinds {', '.join(FAMILIES)}, with a pooling behind it",
        got=f"{type(encoder).__name__} in {', '.join(kind.__name__ for kind in kinds)}",
        consequence="its hidden size was left as it is",
        remedy="keep fewer layers instead, or take another student",
    )


def _require_size(hidden_size: int, config: Any, texts: Sequence[str]) -> None:
    head = config.hidden_size // config.num_attention_heads
    if not texts:
        problem = "no text to measure activations on"
    elif hidden_size % head or not 0 < hidden_size < config.hidden_size:
        problem = f"{hidden_size}"
    else:
        return
    raise ConfigError(
        expected=f"a hidden size that is a multiple of {head} (a head) and below {config.hidden_size}, and some texts",
        got=problem,
        consequence="the encoder was left as it is",
        remedy=f"set hidden_size to {head * max(1, config.num_attention_heads // 2)}, for instance",
    )


def _choose(wide: Any, tokens: Mapping[str, Tensor], hidden_size: int, how: Literal["rotate", "prune"]) -> _Kept:
    import torch

    moments = torch.stack([_moments(_seen(wide, norm, tokens)) for norm in _norms(wide)]).sum(dim=0)
    if how == "rotate":
        basis = torch.linalg.eigh(moments).eigenvectors.flip(1)[:, :hidden_size].float()
    else:
        units = moments.diagonal().topk(hidden_size).indices.sort().values
        basis = torch.eye(len(moments))[:, units]
    heads = wide.config.num_attention_heads
    size = wide.config.hidden_size // heads
    share = hidden_size / wide.config.hidden_size
    attention, feed_forward = [], []
    for layer in wide.encoder.layer:
        worth = _worth(wide, layer.attention.output.dense, tokens).view(heads, size).sum(dim=1)
        best = worth.topk(hidden_size // size).indices.sort().values
        attention.append((best[:, None] * size + torch.arange(size)).flatten())
        worth = _worth(wide, layer.output.dense, tokens)
        feed_forward.append(worth.topk(max(1, round(len(worth) * share))).indices.sort().values)
    return _Kept(basis, attention, feed_forward)


def _norms(encoder: Any) -> list[Any]:
    """The layer norms in the order in which they are run."""
    inside = [norm for layer in encoder.encoder.layer for norm in (layer.attention.output, layer.output)]
    return [encoder.embeddings.LayerNorm, *(module.LayerNorm for module in inside)]


def _seen(encoder: Any, module: Any, tokens: Mapping[str, Tensor], entering: bool = False) -> Tensor:
    """What leaves (or enters) `module` when `encoder` reads `tokens`, without padding, [tokens, units]."""
    caught: list[Tensor] = []
    handle = module.register_forward_hook(lambda _, inputs, output: caught.append(inputs[0] if entering else output))
    try:
        encoder(**tokens)
    finally:
        handle.remove()
    return caught[0][tokens["attention_mask"].bool()]


def _moments(vectors: Tensor) -> Tensor:
    centred = vectors.double() - vectors.double().mean(dim=0)
    return centred.T @ centred / len(vectors)


def _worth(encoder: Any, linear: Any, tokens: Mapping[str, Tensor]) -> Tensor:
    """How much each unit that enters `linear` adds to what leaves it: mean squared activation x squared column."""
    return _seen(encoder, linear, tokens, entering=True).square().mean(dim=0) * linear.weight.square().sum(dim=0)


def _carry_over(wide: Any, kept: _Kept, hidden_size: int) -> Any:
    config = deepcopy(wide.config)
    config.hidden_size = hidden_size
    config.num_attention_heads = hidden_size * wide.config.num_attention_heads // wide.config.hidden_size
    config.intermediate_size = len(kept.feed_forward[0])
    small = type(wide)(config).eval()
    basis = kept.basis
    for name in ("word_embeddings", "position_embeddings", "token_type_embeddings"):
        source = wide.embeddings.get_submodule(name).weight
        small.embeddings.get_submodule(name).weight.copy_(source @ basis)
    for old, new, units, hidden in zip(
        wide.encoder.layer, small.encoder.layer, kept.attention, kept.feed_forward, strict=True
    ):
        for name in ("query", "key", "value"):
            _enter(old.attention.self.get_submodule(name), new.attention.self.get_submodule(name), units, basis)
        _leave(old.attention.output.dense, new.attention.output.dense, units, basis)
        _enter(old.intermediate.dense, new.intermediate.dense, hidden, basis)
        _leave(old.output.dense, new.output.dense, hidden, basis)
    return small


def _enter(old: Any, new: Any, units: Tensor, basis: Tensor) -> None:
    new.weight.copy_(old.weight[units] @ basis)
    new.bias.copy_(old.bias[units])


def _leave(old: Any, new: Any, units: Tensor, basis: Tensor) -> None:
    new.weight.copy_(basis.T @ old.weight[:, units])
    new.bias.copy_(basis.T @ old.bias)


def _fit_norms(wide: Any, small: Any, basis: Tensor, tokens: Mapping[str, Tensor]) -> None:
    """Per unit, the scale and shift with the least squared error to the wide encoder's vectors in `basis`."""
    for old, new in zip(_norms(wide), _norms(small), strict=True):
        new.weight.fill_(1.0)
        new.bias.zero_()
        given, wanted = _seen(small, new, tokens), _seen(wide, old, tokens) @ basis
        means = given.mean(dim=0), wanted.mean(dim=0)
        spread = (given - means[0]).square().mean(dim=0)
        slope = ((given - means[0]) * (wanted - means[1])).mean(dim=0) / spread.clamp_min(1e-12)
        new.weight.copy_(slope)
        new.bias.copy_(means[1] - slope * means[0])


def _resize_pooling(model: SentenceTransformer, hidden_size: int) -> None:
    from sentence_transformers.sentence_transformer.modules import Pooling

    old = model[1]
    model[1] = Pooling(hidden_size, pooling_mode=old.pooling_mode, include_prompt=old.include_prompt)
