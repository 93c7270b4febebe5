"""How many tokens a model has positions for, and the rule for the length of texts that follows from it.

A learned table of positions (BERT, RoBERTa, MPNet, GPT-2) ends. For a token behind its end one back end raises, another
reads what lies there in memory, a third keeps the numbers of the text before. So, wherever a model is loaded:

- where no length is named, texts are cut at the end of the table, whatever the tokeniser and the configuration say, and
  that is the maximum that is reported and that a fingerprint holds;
- a named length within the table is taken as it is;
- a named length beyond it is refused.

Relative, rotary and computed positions (DeBERTa, T5, ModernBERT, Qwen) have no table: nothing is limited here.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from rankdistill.errors import ConfigError

_READ = 4
"""Equal tokens that a model reads to show where it looks positions up."""

_UNREADABLE = (AttributeError, IndexError, KeyError, NotImplementedError, RuntimeError, TypeError, ValueError)


def positions_of(model: Any) -> int | None:
    """Tokens of a text that a transformers `model` has positions for; None where it looks up none.

    Seen, not declared: the model reads a few equal tokens, and a table in which it looks up one row after the other is
    one of positions. Rows before the first are not for tokens: RoBERTa's begin behind the padding token's, OPT's at 2.
    None, too, for what does not read plain token ids (a model of images).
    """
    base = model.base_model
    lookups = _Lookups()
    with _as_it_was(base), torch.no_grad(), lookups:
        try:
            base(**_equal_tokens(base))
        except _UNREADABLE:
            return None
    return min(lookups.positions, default=None)


def limit_of(model: Any) -> int | None:
    """The fewest positions among the transformers of a sentence-transformers `model`; None where none has a table."""
    return min((limit for _, limit in _limited(model)), default=None)


def cut(model: Any, named: int | None, name: str) -> None:
    """Let a loaded sentence-transformers `model` read no more of a text than it has positions for.

    Args:
        model: its lengths are lowered in place: the maximum, and those of queries and documents where it has them.
        named: the length that the user asks for; the caller sets it.
        name: of the model.

    Raises:
        ConfigError: `named` is beyond the table.
    """
    for transformer, limit in _limited(model):
        require(limit, {"max_length": named}, name)
        if transformer.max_seq_length is None or transformer.max_seq_length > limit:
            transformer.max_seq_length = limit
        for side in ("query_length", "document_length"):
            if (getattr(transformer, side, None) or 0) > limit:
                setattr(transformer, side, limit)


def require(limit: int | None, named: Mapping[str, int | None], name: str) -> None:
    """Raise ConfigError where one of the lengths `named` (setting -> tokens) is beyond the `limit` of model `name`."""
    for setting, length in named.items():
        if limit is not None and length is not None and length > limit:
            raise ConfigError(
                expected=f"{setting} of at most {limit}: {name} has positions for so many tokens",
                got=str(length),
                consequence="nothing was run: what a model gives beyond its positions is no number of that text",
                remedy=f"give {limit} or fewer, or leave it out: texts are then cut where the model ends",
            )


def _limited(model: Any) -> Iterator[tuple[Any, int]]:
    """Each transformer module in `model` that has a table of positions, with how many."""
    from sentence_transformers.base.modules import Transformer

    for module in model.modules():
        if isinstance(module, Transformer) and (limit := positions_of(module.model)) is not None:
            yield module, limit


class _Lookups(TorchFunctionMode):
    """Notes, for each table in which rows are looked up one after the other, how many rows it has from the first on."""

    def __init__(self) -> None:
        super().__init__()
        self.positions: list[int] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.nn.functional.embedding:
            rows, table = args[:2]
            if rows.ndim and rows.shape[-1] >= _READ:
                first = rows.reshape(-1, rows.shape[-1])[:, :_READ]
                if bool((first == first[0, 0] + torch.arange(_READ, device=first.device)).all()):
                    self.positions.append(len(table) - int(first[0, 0]))
        return func(*args, **(kwargs or {}))


def _equal_tokens(base: Any) -> dict[str, torch.Tensor]:
    """One row of the same token, none that stands for padding, a beginning or an end."""
    settings = base.config.get_text_config().to_dict()
    special = {value for setting, value in settings.items() if setting.endswith("_token_id")}
    special |= {getattr(module, "padding_idx", None) for module in base.modules()}
    token = next(number for number in count() if number not in special)
    ids = torch.full((1, _READ), token, device=base.device)
    given = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "decoder_input_ids": ids}
    takes = inspect.signature(base.forward).parameters
    return {name: value for name, value in given.items() if name in takes}


@contextmanager
def _as_it_was(model: Any) -> Iterator[None]:
    """In evaluation mode within the block; then every module, and the generator of random numbers, as it was."""
    training = [module for module in model.modules() if module.training]
    attention = getattr(model, "attention_type", None)
    model.eval()
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            for module in training:
                module.training = True
            if attention is not None and model.attention_type != attention:  # BigBird's changes with a short text
                model.set_attention_type(attention)
