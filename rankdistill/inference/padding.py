"""A token to pad with for tokenisers that have none, as those of many causal models (GPT-2) do.

Padded positions are masked: any token gives the same numbers there. The one for the end of a text is what sentence-
transformers and transformers advise, and is saved with the model, so that both pad it alike afterwards.
"""

from __future__ import annotations

from typing import Any

from rankdistill.errors import ConfigError


def give_padding(tokenizer: Any) -> None:
    """Let a transformers `tokenizer` without a padding token pad with its end of a text; others stay as they are.

    Raises:
        ConfigError: it has no end of a text (nor an unknown token) either.
    """
    from transformers import PreTrainedTokenizerBase

    if not isinstance(tokenizer, PreTrainedTokenizerBase) or tokenizer.pad_token_id is not None:
        return
    token = tokenizer.eos_token or tokenizer.unk_token
    if token is None:
        raise ConfigError(
            expected="a tokeniser with a padding token, or with one for the end of a text to pad with",
            got=f"{type(tokenizer).__name__} ({tokenizer.name_or_path}) with neither",
            consequence="texts of several lengths cannot be read together, so nothing was run",
            remedy="name a `pad_token` in the model's tokenizer_config.json",
        )
    tokenizer.pad_token = token


def give_padding_to_pairs(model: Any) -> None:
    """As `give_padding`, for a `CrossEncoder`: the head of a causal model reads the last token that is no padding."""
    give_padding(model.tokenizer)
    config = getattr(model[0].model, "config", None)
    if config is not None and getattr(config, "pad_token_id", None) is None:
        config.pad_token_id = model.tokenizer.pad_token_id
