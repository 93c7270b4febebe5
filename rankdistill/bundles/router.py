"""Both towers as one sentence-transformers model that routes queries to one and documents to the other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rankdistill.inference.loading import load_encoder
from rankdistill.inference.saving import save_model

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from rankdistill.inference import TextEncoder


def write_router(query: TextEncoder, document: TextEncoder, folder: Path) -> None:
    """Write the towers to `folder` as a model that loads with plain `SentenceTransformer`.

    `encode_query` and `encode_document` take the right tower, with its prompt. There is no default: `encode` without a
    task fails, where the library's own default would embed a query with the document tower, and nobody would notice.

    Args:
        query: the query tower.
        document: the document tower.
        folder: of the model.
    """
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Router

    of_queries, of_documents = _load(query), _load(document)
    router = Router.for_query_document(list(of_queries), list(of_documents), default_route=None, allow_empty_key=False)
    space = document.space
    cut = space.dimension if of_queries.truncate_dim or of_documents.truncate_dim else None
    model = SentenceTransformer(
        modules=[router],
        prompts={"query": query.query_prompt, "document": document.document_prompt},
        similarity_fn_name=space.similarity,
        truncate_dim=cut,
        device="cpu",
    )
    save_model(model, folder)


def _load(encoder: TextEncoder) -> SentenceTransformer:
    """The tower as it was saved: the encoder's own copy may have been made faster."""
    model: SentenceTransformer = load_encoder(encoder.reference, "cpu", encoder.max_length)
    return model
