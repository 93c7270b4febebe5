"""Whether a limit of a text's tokens has any effect: token tables read whole queries, cross-encoders cut pairs."""

from __future__ import annotations

from typing import Any

from rankdistill.errors import ConfigError


def reaches(student: Any, task: str = "query") -> bool:
    """Whether `student` cuts texts of that task (`query` or `document`) at a given length; a token table does not."""
    from sentence_transformers.base.modules import Router
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from sentence_transformers.sparse_encoder.modules import SparseStaticEmbedding

    route = student
    if isinstance(student[0], Router):
        route = dict(student[0].sub_modules.items()).get(task, [])
    return not any(isinstance(module, StaticEmbedding | SparseStaticEmbedding) for module in route)


def require_effect(limit: int | None, effective: bool) -> None:
    """Raise ConfigError where `limit` is given and has no effect."""
    if limit is not None and not effective:
        raise ConfigError(
            expected="no max_query_length: this student reads the whole query, or cuts query and document together",
            got=f"max_query_length {limit}",
            consequence="nothing was trained: the setting would have no effect",
            remedy="leave it out; max_document_length is the limit of a cross-encoder's pairs",
        )
