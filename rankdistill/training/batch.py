"""What passes between a type of student and the run that trains it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from rankdistill.training.config import RegulariserName, TrainConfig
from rankdistill.training.embedding import Features

Side = Literal["query", "document"]

LABELLED = "labelled"
IN_BATCH_SCORES = "in_batch_scores"
TEACHER_QUERIES = "teacher_queries"
TEACHER_DOCUMENTS = "teacher_documents"
"""What a batch's first column may hold beside its tokens; see `labelling` and `in_batch.collator`."""

Collator = Callable[[list[dict[str, Any]]], dict[str, Any]]
"""Rows of texts and labels -> `<column>_input_ids`, `<column>_attention_mask`, ... and `label`."""


@dataclass(frozen=True)
class Start:
    """What a student is made from.

    Args:
        reference: the model to start from.
        config: of the run.
        documents: gives the texts of the collection, for term statistics.
    """

    reference: str
    config: TrainConfig
    documents: Callable[[], Iterable[str]]


@dataclass(frozen=True)
class Candidates:
    """What a contrastive term compares: each query with candidates of which one is its positive.

    Candidates are the documents of the whole batch, row by row, or a query's own. What labels say about them is
    excluded by the objective, for every type.

    Args:
        scores: of the student; [batch, batch * docs] or [batch, docs].
        positives: the column of each query's positive.
        excluded: candidates that the student reads as the row's positive, and so are no negatives.
    """

    scores: Float[Tensor, "batch candidates"]
    positives: Int[Tensor, " batch"]
    excluded: Bool[Tensor, "batch candidates"] | None


@dataclass(frozen=True)
class Besides:
    """What a batch holds beside tokens; documents are those of the whole batch, row by row, each positive first.

    Args:
        labelled: documents that are no negatives of the query.
        in_batch_scores: of the in-batch teacher, in its own unit.
        teacher_queries: its vectors of the queries.
        teacher_documents: its vectors of the documents.
    """

    labelled: Bool[Tensor, "batch all"] | None = None
    in_batch_scores: Float[Tensor, "batch all"] | None = None
    teacher_queries: Float[Tensor, "batch dim"] | None = None
    teacher_documents: Float[Tensor, "all dim"] | None = None


@dataclass(frozen=True)
class Scored:
    """The student's scores of a batch.

    Args:
        own: of each query's own documents, the positive first.
        candidates: where a contrastive term was asked for.
        queries: term weights of the queries, where the type has such.
        documents: term weights of all documents, row by row.
        in_batch: of each query with the documents of the whole batch, row by row, where they were asked for.
        embeddings: of the queries, and of all documents row by row, where each text has one vector in a dense space.
        auxiliary: of each query's own documents by an auxiliary head, where there is one.
        relations: what the relations of the batch's tokens differ from a teacher's, where they are compared.
    """

    own: Float[Tensor, "batch docs"]
    candidates: Candidates | None = None
    queries: Float[Tensor, "batch vocabulary"] | None = None
    documents: Float[Tensor, "texts vocabulary"] | None = None
    in_batch: Float[Tensor, "batch all"] | None = None
    embeddings: tuple[Float[Tensor, "batch dim"], Float[Tensor, "all dim"]] | None = None
    auxiliary: Float[Tensor, "batch docs"] | None = None
    relations: Float[Tensor, ""] | None = None


Scorer = Callable[[nn.Module, Sequence[Features]], Scored]
"""(the model, or what several processes wrap it in; the columns of a batch as the collator gives them) -> scores."""


@dataclass(frozen=True)
class Penalty:
    """A regulariser of one side and its weight at the end of the warm-up."""

    name: RegulariserName
    weight: float
