"""Scores of students that give one vector a token: MaxSim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import pad

from rankdistill.training.batch import Candidates, Scored
from rankdistill.training.embedding import Features, in_length_groups, same_text, stack_columns
from rankdistill.training.token_graph import TokenGraph, TokensOfSide
from rankdistill.training.vector_scores import in_batch_targets, own_documents


@dataclass(frozen=True)
class TokenScores:
    """Embeds the tokens of the columns (the query, the positive, then the negatives) and compares them.

    Args:
        mean: whether a score is divided by the number of query tokens.
        pad_token_id: of the tokeniser, which pads on the right.
        contrastive: whether the whole batch's documents become candidates.
        in_batch: whether every query is compared with the whole batch's documents all the same.
        graph: compares the relations of tokens with a teacher's; None: they are not compared.
    """

    mean: bool
    pad_token_id: int
    contrastive: bool
    in_batch: bool = False
    graph: TokenGraph | None = None

    def __call__(self, model: nn.Module, columns: Sequence[Features]) -> Scored:
        """The scores of a batch, float32."""
        query_features, *document_columns = columns
        document_features = stack_columns(document_columns, self.pad_token_id)
        queries, asked = _embed(model, query_features, "query")
        documents, scored = _embed_sorted(model, document_features)
        relations = None
        if self.graph is not None:
            asked_for = TokensOfSide(queries, asked, query_features, "query")
            relations = self.graph([asked_for, TokensOfSide(documents, scored, document_features, "document")])
        with torch.autocast(queries.device.type, enabled=False):
            if not (self.contrastive or self.in_batch):
                return Scored(self._own(queries, asked, documents, scored), relations=relations)
            in_batch = max_sim(queries[:, None], asked[:, None], documents[None], scored[None], self.mean)
        candidates = None
        if self.contrastive:
            targets = in_batch_targets(same_text(query_features), same_text(document_features))
            candidates = Candidates(in_batch, *targets)
        return Scored(own_documents(in_batch), candidates, in_batch=in_batch, relations=relations)

    def _own(self, queries: Tensor, asked: Tensor, documents: Tensor, scored: Tensor) -> Float[Tensor, "batch docs"]:
        batch = len(queries)
        documents, scored = documents.unflatten(0, (batch, -1)), scored.unflatten(0, (batch, -1))
        return max_sim(queries[:, None], asked[:, None], documents, scored, self.mean)


def max_sim(
    queries: Float[Tensor, "... query_tokens dim"],
    asked: Bool[Tensor, "... query_tokens"],
    documents: Float[Tensor, "... document_tokens dim"],
    scored: Bool[Tensor, "... document_tokens"],
    mean: bool,
) -> Float[Tensor, "..."]:
    """The sum over query tokens of the largest dot product with a token of the document; leading dimensions broadcast.

    A document without a scored token has the score 0 and no gradient.

    Args:
        queries: token vectors.
        asked: which query tokens count.
        documents: token vectors.
        scored: which document tokens count.
        mean: divide by the number of query tokens.

    Source: Khattab and Zaharia 2020, arXiv 2004.12832.
    """
    products = queries @ documents.transpose(-1, -2)
    best = products.masked_fill(~scored[..., None, :], torch.finfo(products.dtype).min).amax(dim=-1)
    counted = asked & scored.any(dim=-1, keepdim=True)
    sums = best.masked_fill(~counted, 0).sum(dim=-1)
    return sums / asked.sum(dim=-1).clamp(min=1) if mean else sums


def _embed(model: nn.Module, features: Features, task: str) -> tuple[Tensor, Tensor]:
    """Token vectors [texts, tokens, dim], float32, and which of them count."""
    found = model(dict(features), task=task)
    return found["token_embeddings"].float(), found["attention_mask"].bool()


def _embed_sorted(model: nn.Module, features: Features) -> tuple[Tensor, Tensor]:
    """As `_embed` for documents, in forward passes over texts of similar length."""
    width = features["input_ids"].shape[1]

    def forward(part: Features) -> Tensor:
        vectors, counted = _embed(model, part, "document")
        marked = torch.cat([vectors, counted[..., None].to(vectors.dtype)], dim=-1)
        return pad(marked, (0, 0, 0, width - marked.shape[1]))

    marked = in_length_groups(features, forward)
    return marked[..., :-1], marked[..., -1] > 0
