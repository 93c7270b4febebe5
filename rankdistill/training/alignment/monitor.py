"""What is measured while a student is aligned: retrieval on dev splits, and nearness on texts that are held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sentence_transformers.sentence_transformer.evaluation import SentenceEvaluator

from rankdistill.inference.loading import quietly
from rankdistill.space import SparseSpace
from rankdistill.training import dev as sampling
from rankdistill.training.alignment import geometry
from rankdistill.training.alignment.dev_sets import Dev
from rankdistill.training.alignment.source import EmbeddingSource
from rankdistill.training.alignment.targets import TeacherVectors
from rankdistill.training.alignment.triangle import Triangle
from rankdistill.training.document_tower import TowerEvaluator

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from rankdistill.training.alignment.config import AlignConfig
    from rankdistill.training.in_batch.teacher import InBatchTeacher

BEST = "asymmetric_ndcg_at_10"
"""The mean over the dev splits, by which the best checkpoint is chosen."""

QUERY_TERMS = "query_terms"
"""Terms that a sparse student gives a query of the split."""

ENCODING_BATCH = 32


class Monitor(SentenceEvaluator):
    """The evaluator that the trainer calls; its measures are named `SPLIT/standard_ndcg_at_10`, `held_out/...`.

    Args:
        store: of the held-out rows.
        held_out: rows that are not trained on.
        triangles: dev split by name.
        towers: dev split by name, where the student embeds queries alone: the asymmetric corner is all there is.
    """

    def __init__(
        self,
        store: EmbeddingSource,
        held_out: NDArray[np.int64],
        triangles: Mapping[str, Triangle],
        towers: Mapping[str, TowerEvaluator] | None = None,
    ) -> None:
        super().__init__()
        self.triangles, self.towers = triangles, towers or {}
        taken = store.texts().select(["kind", "text"]).take(held_out).to_pylist()
        self._rows = {
            kind: [place for place, row in enumerate(taken) if row["kind"] == kind] for kind in ("query", "document")
        }
        self._texts = [row["text"] for row in taken]
        self._targets = np.asarray(store.vectors()[held_out], dtype=np.float32)
        self._over_vocabulary = isinstance(store.space, SparseSpace)
        self._teacher = {name: triangle.teacher() for name, triangle in triangles.items()}

    @property
    def measures(self) -> bool:
        """Whether there is anything to measure."""
        return bool(self._texts or self.triangles or self.towers)

    def __call__(self, model: SentenceTransformer, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Every measure of the student as it is now."""

        def encode(texts: Sequence[str], kind: str) -> NDArray[np.float32]:
            encoder = model.encode_query if kind == "query" else model.encode_document
            if self._over_vocabulary:
                with quietly():
                    return encoder(list(texts), batch_size=ENCODING_BATCH, show_progress_bar=False).to_dense().numpy()
            vectors = encoder(list(texts), batch_size=ENCODING_BATCH, convert_to_numpy=True, show_progress_bar=False)
            return vectors.astype(np.float32, copy=False)

        found: dict[str, float] = {}
        asymmetric = []
        for name, triangle in self.triangles.items():
            student = triangle.student(encode)
            asymmetric.append(student["asymmetric"])
            scores = student | {"teacher": self._teacher[name]}
            found |= {f"{name}/{corner}_ndcg_at_10": value for corner, value in scores.items()}
        for name, tower in self.towers.items():
            measured = tower(model)
            asymmetric.append(measured.pop(tower.primary_metric))
            found[f"{name}/asymmetric_ndcg_at_10"] = asymmetric[-1]
            found |= {f"{name}/{QUERY_TERMS}": value for value in measured.values()}
        if asymmetric:
            found[BEST] = float(np.mean(asymmetric))
        if self._texts:
            vectors = np.empty_like(self._targets)
            for kind, places in self._rows.items():
                if places:
                    vectors[places] = encode([self._texts[place] for place in places], kind)
            found |= {f"held_out/{name}": value for name, value in geometry.describe(vectors, self._targets).items()}
        return found


def build(
    store: EmbeddingSource,
    held_out: NDArray[np.int64],
    dev: Sequence[Dev],
    config: AlignConfig,
    folder: Path,
    tower: InBatchTeacher | None = None,
) -> Monitor:
    """The monitor of a run; the teacher's vectors that the store lacks are encoded now and kept in `folder`.

    With a `tower`, which embeds the documents, the student is measured on its queries alone.
    """
    if tower is not None:
        found = {}
        for one in dev:
            sample = sampling.sample(one.dataset, one.split, config.dev_queries, config.dev_documents)
            tower.know(list(sample.documents.values()), "document")
            found[one.name] = TowerEvaluator(sample, tower)
        return Monitor(store, held_out, {}, found)
    teacher = TeacherVectors(store, folder)
    triangles = {}
    for one in dev:
        sample = sampling.sample(one.dataset, one.split, config.dev_queries, config.dev_documents)
        triangles[one.name] = Triangle(
            sample,
            teacher.of(list(sample.queries.values()), "query"),
            teacher.of(list(sample.documents.values()), "document"),
            store.space.similarity,
        )
    return Monitor(store, held_out, triangles)
