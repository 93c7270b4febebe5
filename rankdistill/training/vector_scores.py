"""Scores of students that give one vector a text: dense ones, and sparse ones over a vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from rankdistill.training.auxiliary_head import AuxiliaryHead
from rankdistill.training.batch import Candidates, Scored
from rankdistill.training.embedding import Features, embed, embed_sorted, same_text, stack_columns


@dataclass(frozen=True)
class VectorScores:
    """Embeds the columns (the query, the positive, then the negatives) and compares them.

    Args:
        similarity: `cosine` or `dot`.
        pad_token_id: of the tokeniser, which pads on the right.
        contrastive: whether the whole batch's documents become candidates.
        term_weights: whether the vectors are over a vocabulary.
        head: a second one, for the teacher; None: there is none.
    """

    similarity: str
    pad_token_id: int
    contrastive: bool
    term_weights: bool
    head: AuxiliaryHead | None = None

    def __call__(self, model: nn.Module, columns: Sequence[Features]) -> Scored:
        """The scores of a batch, float32."""
        query_features, *document_columns = columns
        document_features = stack_columns(document_columns, self.pad_token_id)
        queries, documents = embed(model, query_features), embed_sorted(model, document_features)
        with torch.autocast(queries.device.type, enabled=False):
            auxiliary = None
            if self.head is not None:
                (queries, for_queries), (documents, for_documents) = self.head(queries), self.head(documents)
                auxiliary = own_documents(compare(for_queries, for_documents, self.similarity))
            in_batch = compare(queries, documents, self.similarity)
        candidates = None
        if self.contrastive:
            targets = in_batch_targets(same_text(query_features), same_text(document_features))
            candidates = Candidates(in_batch, *targets)
        own = own_documents(in_batch)
        if self.term_weights:
            return Scored(own, candidates, queries, documents, in_batch)
        return Scored(own, candidates, in_batch=in_batch, embeddings=(queries, documents), auxiliary=auxiliary)


def compare(
    queries: Float[Tensor, "batch dim"], documents: Float[Tensor, "all dim"], similarity: str
) -> Float[Tensor, "batch all"]:
    """The `similarity`, `cosine` or `dot`, of every query with every document."""
    if similarity == "cosine":
        queries, documents = (nn.functional.normalize(vectors, dim=1) for vectors in (queries, documents))
    return queries @ documents.T


def own_documents(in_batch: Shaped[Tensor, "batch all"]) -> Shaped[Tensor, "batch docs"]:
    """Of what is said of each query with the whole batch's documents (row by row), that of its own."""
    batch = in_batch.shape[0]
    blocks = in_batch.unflatten(1, (batch, -1))
    return blocks.diagonal(dim1=0, dim2=1).T


def in_batch_targets(query_texts: Tensor, document_texts: Tensor) -> tuple[Tensor, Tensor]:
    """Columns of the positives, and which other columns are no negatives.

    A column is no negative of a row if it holds the row's positive once more, or the positive of another row with the
    same query; texts are the same where their numbers (`same_text`) are.

    Args:
        query_texts: [batch].
        document_texts: [batch * docs], row by row, the positive first.

    Returns:
        positives [batch], int64; excluded [batch, batch * docs], bool.
    """
    batch = len(query_texts)
    docs = len(document_texts) // batch
    positives = torch.arange(batch, device=query_texts.device) * docs
    positive_texts = document_texts[positives]
    same_query = query_texts[:, None] == query_texts[None, :]
    is_positive = positive_texts[:, None] == document_texts[None, :]
    excluded = (same_query.float() @ is_positive.float()) > 0
    excluded[torch.arange(batch, device=excluded.device), positives] = False
    return positives, excluded
