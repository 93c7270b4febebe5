"""Training the query side alone: documents stay as another model, the document tower, embeds them.

Their vectors are made once and kept beside the checkpoints, so a step runs the student on its queries only, and the
tower's index is searched with the student, unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers.sentence_transformer.evaluation import SentenceEvaluator
from torch import Tensor, nn
from transformers import TrainerCallback

from rankdistill.data import Dataset
from rankdistill.errors import ConfigError
from rankdistill.inference.loading import quietly
from rankdistill.manifest import digest
from rankdistill.names import listed
from rankdistill.space import Space, SparseSpace
from rankdistill.students.dense import similarity_of
from rankdistill.training import dev, kept_space
from rankdistill.training.auxiliary_head import AuxiliaryHead
from rankdistill.training.batch import Candidates, Collator, Scored, Scorer, Side, Start
from rankdistill.training.columns import QUERY, documents_of, first_column
from rankdistill.training.config import WITH_TOWER, RegulariserName, TrainConfig
from rankdistill.training.embedding import Features, embed, same_text
from rankdistill.training.evaluation import Evaluation
from rankdistill.training.types.base import StudentType
from rankdistill.training.vector_scores import compare, in_batch_targets, own_documents

if TYPE_CHECKING:
    from pathlib import Path

    from rankdistill.training.in_batch.teacher import InBatchTeacher

TOWER_DOCUMENTS = "tower_documents"
TOWER_TEXTS = "tower_texts"
"""What a batch's first column holds beside its tokens: the documents' vectors, and a number for each text."""

COMPARED_AT_ONCE = 256
"""Documents whose vectors over a vocabulary are unfolded together."""

BEST = "tower_ndcg@10"


def require_type(name: str) -> None:
    """Raise ConfigError for a type of student whose queries are not compared with single vectors of documents."""
    if name not in WITH_TOWER:
        raise ConfigError(
            expected=f"a student that is {listed(WITH_TOWER)}, beside a document_tower",
            got=f"the type {name}",
            consequence="nothing was trained",
            remedy="leave document_tower out, or train another type",
        )


def space_of(tower: InBatchTeacher, name: str) -> Space | SparseSpace:
    """The space of the tower's documents.

    Raises:
        ConfigError: it gives no single vector of a text.
    """
    if tower.tower is not None:
        return tower.tower
    raise ConfigError(
        expected="a document_tower that gives one vector a text: a dense or a sparse model, or an embedding store",
        got=f"{name}, whose teacher {tower.teacher_id} gives none",
        consequence="nothing was trained",
        remedy="name another document_tower, or leave it out: then documents are trained too",
    )


def require_fitting(kind: StudentType, model: Any, space: Space | SparseSpace) -> None:
    """Raise ConfigError unless the student's vectors can be compared with those of `space`."""
    similarity = similarity_of(model)
    own, theirs = _shape(kind, model), _shape_of(space)
    if own == theirs and similarity == space.similarity:
        return
    raise ConfigError(
        expected=f"a student whose vectors are as the document_tower's: {_words(theirs)}, compared by "
        f"{space.similarity}",
        got=f"{_words(own)}, compared by {similarity}",
        consequence="nothing was trained: its scores of these documents would mean nothing",
        remedy="start from the document_tower's own model, or (dense) from a student that was aligned with it "
        "(`rankdistill train --embeddings`)",
    )


@dataclass(frozen=True)
class TowerCollator:
    """Batches of queries as tokens, and of documents as the tower's vectors.

    Args:
        collate: tokenises the query column.
        tower: knows the documents of the run.
    """

    collate: Collator
    tower: InBatchTeacher

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """`query_input_ids`, ..., `label`; `query_tower_documents`, float32 [batch * docs, dim], row by row, each
        positive first; `query_tower_texts`, equal numbers for equal texts.
        """
        batch = self.collate([{QUERY: row[QUERY], "label": row["label"]} for row in rows])
        documents, first = documents_of(rows), first_column(batch)
        numbers = np.unique(documents, return_inverse=True)[1].astype(np.int64)
        return batch | {
            first + TOWER_DOCUMENTS: torch.from_numpy(np.ascontiguousarray(self.tower.rows(documents, "document"))),
            first + TOWER_TEXTS: torch.from_numpy(numbers),
        }


@dataclass(frozen=True)
class TowerScores:
    """Scores of the student's queries with the tower's documents.

    Args:
        similarity: `cosine` or `dot`.
        contrastive: whether the whole batch's documents become candidates.
        term_weights: whether the vectors are over a vocabulary.
        head: a second one, for the teacher; None: there is none.
    """

    similarity: str
    contrastive: bool
    term_weights: bool
    head: AuxiliaryHead | None = None

    def __call__(self, model: nn.Module, columns: Sequence[Features]) -> Scored:
        """The scores of a batch, float32; no gradient reaches a document."""
        features = dict(columns[0])
        documents, texts = features.pop(TOWER_DOCUMENTS).float(), features.pop(TOWER_TEXTS)
        queries = embed(model, features)
        with torch.autocast(queries.device.type, enabled=False):
            auxiliary = None
            if self.head is not None:
                (queries, for_queries), (documents, for_documents) = self.head(queries), self.head(documents)
                auxiliary = own_documents(compare(for_queries, for_documents, self.similarity))
            in_batch = compare(queries, documents, self.similarity)
        candidates = None
        if self.contrastive:
            candidates = Candidates(in_batch, *in_batch_targets(same_text(features), texts))
        own = own_documents(in_batch)
        weights = queries if self.term_weights else None
        return Scored(own, candidates, weights, in_batch=in_batch, auxiliary=auxiliary)


class WithTower(StudentType):
    """A type of student whose documents are the tower's; all else is the type's own.

    Args:
        kind: the student's type.
        tower: of the documents.
    """

    def __init__(self, kind: StudentType, tower: InBatchTeacher) -> None:
        self.kind, self.tower = kind, tower
        self.usage, self.in_batch = kind.usage, kind.in_batch  # type: ignore[misc]

    @property
    def penalties(self) -> Mapping[Side, RegulariserName]:  # type: ignore[override]
        """Of the queries alone."""
        return {side: name for side, name in self.kind.penalties.items() if side == "query"}

    def load(self, start: Start) -> Any:
        """The type's model."""
        return self.kind.load(start)

    def is_bounded(self, model: Any) -> bool:
        """As the type says."""
        return self.kind.is_bounded(model)

    def is_cosine(self, model: Any) -> bool:
        """As the type says."""
        return self.kind.is_cosine(model)

    def cuts_queries(self, model: Any) -> bool:
        """As the type says."""
        return self.kind.cuts_queries(model)

    def collator(self, model: Any, names: Sequence[str], config: TrainConfig) -> Collator:
        """Tokenises queries alone; see `TowerCollator`."""
        return TowerCollator(self.kind.collator(model, [QUERY], config), self.tower)

    def scorer(self, model: Any, contrastive: bool, in_batch: bool = False) -> Scorer:
        """Compares queries with the tower's vectors."""
        return TowerScores(similarity_of(model), contrastive, bool(self.penalties))

    def evaluation(self, model: Any, dataset: Dataset, split: str, config: TrainConfig) -> Evaluation:
        """The student's queries among the tower's documents."""
        sample = dev.sample(dataset, split, config.dev_queries, config.dev_documents)
        self.tower.know(list(sample.documents.values()), "document")
        besides = {"query_terms": f"{dev.NAME}_query_active_dims"} if self.penalties else {}
        return Evaluation(TowerEvaluator(sample, self.tower), f"{dev.NAME}_{BEST}", besides)

    def reads_documents(self, config: TrainConfig) -> bool:
        """As the type says."""
        return self.kind.reads_documents(config)

    def rates(self, config: TrainConfig) -> Mapping[str, float]:
        """As the type says."""
        return self.kind.rates(config)

    def callbacks(self, model: Any) -> Sequence[TrainerCallback]:
        """As the type says."""
        return self.kind.callbacks(model)

    def save(self, model: Any, out: Path) -> None:
        """As the type says."""
        self.kind.save(model, out)


class TowerEvaluator(SentenceEvaluator):
    """nDCG@10 of the student's queries in a sample of documents as the tower embeds them, with the judged gains.

    Args:
        sample: queries, documents, judgements.
        tower: knows the documents.
    """

    def __init__(self, sample: dev.Sample, tower: InBatchTeacher) -> None:
        super().__init__()
        self.sample, self.tower, self.primary_metric = sample, tower, f"{dev.NAME}_{BEST}"

    def __call__(self, model: Any, *args: Any, **kwargs: Any) -> dict[str, float]:
        """The measure; and of term weights, how many a query has."""
        from ir_measures import calc_aggregate, nDCG

        with quietly():
            found = model.encode_query(list(self.sample.queries.values()), batch_size=32, show_progress_bar=False)
        queries = found.to_dense().float().cpu().numpy() if isinstance(found, Tensor) else np.asarray(found)
        scores, ids = self._compare(queries, similarity_of(model)), list(self.sample.documents)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :10]
        run = {
            query_id: {ids[place]: float(scores[row, place]) for place in best[row]}
            for row, query_id in enumerate(self.sample.queries)
        }
        measure = nDCG @ 10
        value = float(calc_aggregate([measure], self.sample.qrels, run)[measure])
        told = {self.primary_metric: value}
        if isinstance(found, Tensor):
            told[f"{dev.NAME}_query_active_dims"] = float((queries != 0).sum(axis=1).mean())
        return told

    def _compare(self, queries: NDArray[np.float32], similarity: str) -> NDArray[np.float32]:
        from scipy.sparse import csr_array

        texts, parts = list(self.sample.documents.values()), []
        sparse = isinstance(self.tower.tower, SparseSpace)
        left: Any = _unit(queries) if similarity == "cosine" else queries
        left = csr_array(left) if sparse else left
        for start in range(0, len(texts), COMPARED_AT_ONCE):
            rows = self.tower.rows(texts[start : start + COMPARED_AT_ONCE], "document")
            right = _unit(rows) if similarity == "cosine" else rows
            parts.append((left @ csr_array(right).T).toarray() if sparse else left @ right.T)
        return np.concatenate(parts, axis=1)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _shape(kind: StudentType, model: Any) -> tuple[int | str, bool]:
    """Of a student over a vocabulary its hash, as `SparseSpace.vocabulary` has it; else dimension and normalisation."""
    from rankdistill.students.sparse import vocabulary_size

    if kind.penalties:
        return digest(model.tokenizer.convert_ids_to_tokens(range(vocabulary_size(model)))), False
    return int(model.get_embedding_dimension()), kept_space.normalises(model)


def _shape_of(space: Space | SparseSpace) -> tuple[int | str, bool]:
    if isinstance(space, SparseSpace):
        return space.vocabulary, False
    return space.dimension, space.normalised


def _words(shape: tuple[int | str, bool]) -> str:
    found, normalised = shape
    if isinstance(found, str):
        return f"weights of the terms of a vocabulary ({found[:12]})"
    return f"{found} numbers, {'of unit length' if normalised else 'not normalised'}"
