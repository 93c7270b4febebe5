"""Sparse students: SPLADE models, encoders that get a vocabulary head, and static query sides."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rankdistill import models, plain_json
from rankdistill.errors import ModelReferenceError
from rankdistill.inference.loading import kind_of, quietly
from rankdistill.inference.padding import give_padding

if TYPE_CHECKING:
    from sentence_transformers import SparseEncoder


def load(reference: str, dropout: float | None = None, new_head: bool = False, seed: int = 0) -> SparseEncoder:
    """A `SparseEncoder` whose dimensions are its tokeniser's vocabulary, on the CPU.

    Args:
        reference: path, hub id or `pypi:DISTRIBUTION` of a SPLADE model, of a masked language model, or of an encoder.
        dropout: rate everywhere in the encoder; None keeps the model's own.
        new_head: give an encoder that has no vocabulary head a new one, tied to its token embeddings. It has to be
            trained: its dense layer starts as the identity.
        seed: of what is random in a new head.

    Raises:
        ModelReferenceError: no such model, a dense one without `new_head`, or a head that does not fit the tokeniser.
    """
    from rankdistill.inference import positions

    found = models.resolve(reference)
    settings = {} if dropout is None else models.dropout_settings(found, dropout)
    kind = kind_of(found.path)
    if kind not in ("sparse", "encoder") or (kind == "encoder" and not new_head):
        raise _no_vocabulary(reference, "no vocabulary head" if kind == "encoder" else f"another kind ({kind})")
    try:
        with quietly():
            student = _with_new_head(found.path, settings, seed) if kind == "encoder" else _load(found.path, settings)
            positions.cut(student, None, found.name)
    except (OSError, ValueError, KeyError) as error:
        raise _no_vocabulary(reference, str(error).splitlines()[0]) from error
    student.model_card_data.local_files_only = True
    give_padding(student.tokenizer)
    _require_fitting(student, reference)
    return student


def vocabulary_size(student: SparseEncoder) -> int:
    """Entries of its vocabulary: the dimension of its vectors."""
    model = student.transformers_model
    assert model is not None  # `load` admits none without
    return int(model.get_output_embeddings().out_features)


def is_routed(student: SparseEncoder) -> bool:
    """Whether queries and documents go through modules of their own."""
    from sentence_transformers.base.modules import Router

    return isinstance(student[0], Router)


def with_static_queries(student: SparseEncoder, weights: NDArray[np.float32], learned: bool) -> SparseEncoder:
    """The same documents, with queries that are the set of their tokens, each with its weight: no model runs for them.

    Args:
        student: a SPLADE model without routes.
        weights: [vocabulary], of each token.
        learned: whether the weights are trained.
    """
    import torch
    from sentence_transformers import SparseEncoder
    from sentence_transformers.base.modules import Router
    from sentence_transformers.sparse_encoder.modules import SparseStaticEmbedding

    queries = SparseStaticEmbedding(
        copy.deepcopy(student.tokenizer), weight=torch.from_numpy(weights.copy()), frozen=not learned
    )
    router = Router.for_query_document([queries], [*student])
    routed = SparseEncoder(modules=[router], device="cpu", similarity_fn_name="dot", prompts=student.prompts)
    routed.model_card_data.local_files_only = True
    return routed


def query_weights(student: SparseEncoder) -> Any:
    """The module of the query's token weights.

    Raises:
        ModelReferenceError: queries go through a transformer.
    """
    from sentence_transformers.sparse_encoder.modules import SparseStaticEmbedding

    route = student[0].sub_modules["query"] if is_routed(student) else []
    if len(route) == 1 and isinstance(route[0], SparseStaticEmbedding):
        return route[0]
    raise ModelReferenceError(
        expected="a sparse student whose queries are token weights",
        got="one whose queries go through a transformer",
        consequence="nothing was trained",
        remedy="start from a plain SPLADE model or a masked language model",
    )


def _load(path: Path, settings: dict[str, float]) -> SparseEncoder:
    from sentence_transformers import SparseEncoder

    return SparseEncoder(str(path), device="cpu", local_files_only=True, config_kwargs=settings)


def _with_new_head(path: Path, settings: dict[str, float], seed: int) -> SparseEncoder:
    import torch
    from sentence_transformers import SparseEncoder
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sparse_encoder.modules import SpladePooling

    modules = path / "modules.json"
    inside = plain_json.read(modules)[0]["path"] if modules.is_file() else ""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        transformer = Transformer(
            str(path / inside),
            transformer_task="fill-mask",
            config_kwargs=settings | {"tie_word_embeddings": True},
        )
    model = transformer.model
    new = [layer for name, layer in model.named_modules() if not name.startswith(f"{model.base_model_prefix}.")]
    for layer in new:
        if isinstance(layer, torch.nn.Linear) and layer.in_features == layer.out_features:
            torch.nn.init.eye_(layer.weight)
    return SparseEncoder(modules=[transformer, SpladePooling("max")], device="cpu", similarity_fn_name="dot")


def _require_fitting(student: SparseEncoder, reference: str) -> None:
    """The library cannot load a query side whose weights are not one a token; an index could not name its terms."""
    head = student.transformers_model.get_output_embeddings() if student.transformers_model is not None else None
    if head is None:
        raise _no_vocabulary(reference, "vectors over no vocabulary")
    tokens = len(student.tokenizer if not is_routed(student) else student[0].sub_modules["document"][0].tokenizer)
    size = int(head.out_features)
    if size != tokens:
        raise ModelReferenceError(
            expected=f"a vocabulary head with one row a token, {tokens}",
            got=f"{reference!r}: {size} rows",
            consequence="dimensions would stand for no token, or tokens have none",
            remedy="save the model with `resize_token_embeddings(len(tokenizer))` of its own tokeniser",
        )


def _no_vocabulary(reference: str, got: str) -> ModelReferenceError:
    return ModelReferenceError(
        expected="a SPLADE model or a masked language model, whose vectors are over its vocabulary",
        got=f"{reference!r}: {got}",
        consequence="no student was loaded",
        remedy="give such a model, or let an encoder have a new, untrained head: --new-head (new_head: true)",
    )
