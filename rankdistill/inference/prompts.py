"""The prompt that a model puts before a text: the rule of sentence-transformers, for use and for training alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Role = Literal["query", "document"]

NAMES: Mapping[Role, tuple[str, ...]] = {"query": ("query",), "document": ("document", "passage", "corpus")}
"""Names under which a model carries the prompt of a role; the first that it has counts, also where it is empty."""


def prompt_of(model: Any, role: Role) -> str:
    """What `encode_query` or `encode_document` of `model` puts before a text; "" for nothing.

    That is the prompt of the role, and only where the model has none by that name its default prompt. Models that
    sentence-transformers loads have one for `query` and one for `document`, if an empty one: so their default prompt is
    before no query and no document, and one named `passage` counts only where `document` was taken out.

    Args:
        model: a dense, sparse or multi-vector model of sentence-transformers.
        role: of the text.
    """
    carried = model.prompts
    return next((carried[name] for name in NAMES[role] if name in carried), default_prompt(model)) or ""


def default_prompt(model: Any) -> str:
    """What `encode`, or `predict` of a cross-encoder, puts before a text where no prompt is named; "" for nothing."""
    return model.prompts.get(model.default_prompt_name) or ""
