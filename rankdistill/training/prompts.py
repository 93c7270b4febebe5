"""The prompt that a model puts before a text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_NAMES = {"query": ["query"], "document": ["document", "passage", "corpus"]}


def prompt_of(student: SentenceTransformer, task: str) -> str | None:
    """What `encode_query` (task `query`) or `encode_document` (task `document`) puts before a text, if anything."""
    names = [*_NAMES[task], student.default_prompt_name]
    return next((student.prompts[name] for name in names if student.prompts.get(name)), None)
