"""The last layer of a BERT-like model for the first token alone, where nothing reads the others: exact, and cheaper.

A classification head and CLS pooling read one row of the last layer's output. Its keys and values still come from
every token; queries, attention output and feed-forward are needed for that row only: about 5/6 of the layer is saved.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

_MODELS = {"bert", "roberta", "xlm-roberta", "electra", "camembert"}
"""Model types whose layers have BERT's parts under BERT's names."""


def reads_first_token(model: Any) -> bool:
    """Whether a sentence-transformers `model` uses nothing but the first token of its transformer's last layer."""
    from sentence_transformers.sentence_transformer.modules import Pooling

    transformer = model[0].model
    if transformer.config.model_type not in _MODELS or transformer.config.is_decoder:
        return False
    if type(transformer).__name__.endswith("ForSequenceClassification"):
        return True
    return len(model) > 1 and isinstance(model[1], Pooling) and model[1].pooling_mode in ("cls", ("cls",))


def keep_first_token(model: Any) -> None:
    """Make the last layer compute one row, where `reads_first_token` holds; the weights keep their names."""
    layer = model[0].model.base_model.encoder.layer[-1]
    layer.forward = partial(_first_row, layer)


def keep_all_tokens(model: Any) -> None:
    """Undo `keep_first_token`."""
    del model[0].model.base_model.encoder.layer[-1].forward


def _first_row(
    layer: Any, hidden_states: torch.Tensor, attention_mask: torch.Tensor | None = None, *_: Any, **__: Any
) -> torch.Tensor:
    """float[rows, 1, hidden] from float[rows, tokens, hidden]."""
    attention = layer.attention.self
    first = hidden_states[:, :1]
    query, key, value = (
        projection(states).unflatten(-1, (attention.num_attention_heads, -1)).transpose(1, 2)
        for projection, states in (
            (attention.query, first),
            (attention.key, hidden_states),
            (attention.value, hidden_states),
        )
    )
    context = torch.nn.functional.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=attention_mask[..., :1, :] if attention_mask is not None else None,
        dropout_p=attention.dropout.p if layer.training else 0.0,
    )
    attended = layer.attention.output(context.transpose(1, 2).flatten(2), first)
    return layer.output(layer.intermediate(attended), attended)
