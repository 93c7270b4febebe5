"""What is measured while a student is aligned: retrieval on dev splits, and nearness on texts that are held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sentence_transformers.sentence_transformer.evaluation import SentenceEvaluator

from rankdistill.training import dev as sampling
from rankdistill.training.alignment import geometry
from rankdistill.training.alignment.dev_sets import Dev
from rankdistill.training.alignment.source import EmbeddingSource
from rankdistill.training.alignment.targets import TeacherVectors
from rankdistill.training.alignment.triangle import Triangle

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from rankdistill.training.alignment.config import AlignConfig

BEST = "asymmetric_ndcg_at_10"
"""The mean over the dev splits, by which the best checkpoint is chosen."""

ENCODING_BATCH = 32


class Monitor(SentenceEvaluator):
    """The evaluator that the trainer calls; its measures are named `SPLIT/standard_ndcg_at_10`, `held_out/...`.

    Args:
        store: of the held-out rows.
        held_out: rows that are not trained on.
        triangles: dev split by name.
    """

    def __init__(self, store: EmbeddingSource, held_out: NDArray[np.int64], triangles: Mapping[str, Triangle]) -> None:
        super().__init__()
        self.triangles = triangles
        taken = store.texts().select(["kind", "text"]).take(held_out).to_pylist()
        self._rows = {
            kind: [place for place, row in enumerate(taken) if row["kind"] == kind] for kind in ("query", "document")
        }
        self._texts = [row["text"] for row in taken]
        self._targets = np.asarray(store.vectors()[held_out], dtype=np.float32)
        self._teacher = {name: triangle.teacher() for name, triangle in triangles.items()}

    @property
    def measures(self) -> bool:
        """Whether there is anything to measure."""
        return bool(self._texts or self.triangles)

    def __call__(self, model: SentenceTransformer, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Every measure of the student as it is now."""

        def encode(texts: Sequence[str], kind: str) -> NDArray[np.float32]:
            encoder = model.encode_query if kind == "query" else model.encode_document
            vectors = encoder(list(texts), batch_size=ENCODING_BATCH, convert_to_numpy=True, show_progress_bar=False)
            return vectors.astype(np.float32, copy=False)

        found: dict[str, float] = {}
        asymmetric = []
        for name, triangle in self.triangles.items():
            student = triangle.student(encode)
            asymmetric.append(student["asymmetric"])
            scores = student | {"teacher": self._teacher[name]}
            found |= {f"{name}/{corner}_ndcg_at_10": value for corner, value in scores.items()}
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
    store: EmbeddingSource, held_out: NDArray[np.int64], dev: Sequence[Dev], config: AlignConfig, folder: Path
) -> Monitor:
    """The monitor of a run; the teacher's vectors that the store lacks are encoded now and kept in `folder`."""
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
