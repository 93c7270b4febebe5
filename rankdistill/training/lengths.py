"""The lengths that a student is trained with are those that it is used with, by whoever loads it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from rankdistill.errors import ConfigError
from rankdistill.training.query_length import reaches
from rankdistill.training.settings import RunSettings


def keep(student: Any, config: RunSettings) -> None:
    """Make the lengths of `config` the student's own, before it is trained; nothing where none is given.

    The length of documents becomes the model's, on every route (`max_seq_length`, the tokeniser's maximum, and in
    `sentence_bert_config.json`), so that other programs read it too. Shorter queries are cut in training only, since a
    tower has one length; a query tower of its own and a multi-vector encoder keep that of queries as well.

    Raises:
        ConfigError: documents are read whole whatever the length (a token table), or queries are to be longer than
            documents in a tower that has one length for both.
    """
    from sentence_transformers import MultiVectorEncoder
    from sentence_transformers.base.modules import Router

    document, query = config.max_document_length, config.max_query_length
    require_effect(document, reaches(student, "document"))
    several = isinstance(student, MultiVectorEncoder)
    if document is not None:
        if query is not None and query > document and not several and not isinstance(student[0], Router):
            raise _longer_queries(query, document)
        for task, module in _first_modules(student):
            _cut(module, query if task == "query" and query is not None else document)
    if several:
        _cut_sides(student[0], document, query)


def settle(student: Any, config: RunSettings) -> None:
    """Before it is saved: the tokenisers' files tell the student's length, not that of the last batch in training."""
    if config.max_document_length is None:
        return
    for _, module in _first_modules(student):
        tokenizer = getattr(module, "tokenizer", None)
        if tokenizer is not None and hasattr(tokenizer, "backend_tokenizer"):
            tokenizer.backend_tokenizer.enable_truncation(
                tokenizer.model_max_length, direction=tokenizer.truncation_side
            )


def told(student: Any, config: RunSettings) -> dict[str, int | None]:
    """Side -> tokens of a text that were read in training at most, special tokens included; None: all."""
    own = {"query": None, "document": None} | {task: _own(module, task) for task, module in _first_modules(student)}
    if reaches(student, "query") and config.max_query_length is not None:
        own["query"] = config.max_query_length
    return own


def require_effect(limit: int | None, effective: bool) -> None:
    """Raise ConfigError where the length `limit` of documents is given and has no effect."""
    if limit is not None and not effective:
        raise ConfigError(
            expected="no max_document_length: this student is a table of token vectors, which reads whole texts",
            got=f"max_document_length {limit}",
            consequence="nothing was trained: the setting would have no effect",
            remedy="leave it out",
        )


def _first_modules(student: Any) -> Iterator[tuple[str, Any]]:
    """What tokenises the texts of each side, a token table that reads whole texts left out."""
    from sentence_transformers.base.modules import Router
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    routes: dict[str, Sequence[Any]] = {"query": student, "document": student}
    if isinstance(student[0], Router):
        routes = dict(student[0].sub_modules.items())
    for task, route in routes.items():
        if not isinstance(route[0], StaticEmbedding):
            yield task, route[0]


def _cut(module: Any, limit: int) -> None:
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sparse_encoder.modules import SparseStaticEmbedding

    module.max_seq_length = limit
    if isinstance(module, SparseStaticEmbedding):
        module.tokenizer.model_max_length = limit
    if isinstance(module, Transformer) and "max_seq_length" not in module.config_keys:
        module.config_keys = [*module.config_keys, "max_seq_length"]  # of this one: programs of others look there


def _cut_sides(module: Any, document: int | None, query: int | None) -> None:
    """The lengths of a multi-vector encoder's two sides; queries that are expanded keep the length of that."""
    if document is not None:
        module.max_seq_length = document
        module.document_length = document
    expansion = module.query_expansion
    if query is not None and expansion is None:
        module.query_length = query
    elif query is not None and expansion["strategy"] != "fixed":
        module.query_length = max(query, expansion["length"])


def _own(module: Any, task: str) -> int | None:
    limit = getattr(module, f"{task}_length", None) or module.max_seq_length
    return None if limit is None or math.isinf(limit) or limit > 10**9 else int(limit)


def _longer_queries(query: int, document: int) -> ConfigError:
    return ConfigError(
        expected="max_query_length up to max_document_length: one tower has one length, which is saved with it",
        got=f"max_query_length {query}, max_document_length {document}",
        consequence="nothing was trained: in use, one of both would be cut elsewhere than in training",
        remedy="raise max_document_length, or leave max_query_length out",
    )
