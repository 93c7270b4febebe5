"""SPLADE students: term weights over the vocabulary, from the same model for queries and documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from rankdistill.errors import ModelReferenceError
from rankdistill.inference.splade_head import pool_before_activation
from rankdistill.students import sparse
from rankdistill.training.batch import Side, Start
from rankdistill.training.config import RegulariserName
from rankdistill.training.types.base import StudentType


class Splade(StudentType):
    """`log(1 + relu(max over tokens of the logits))`; the logits of a batch never exist all at once."""

    usage = """from sentence_transformers import SparseEncoder

model = SparseEncoder("PATH_OF_THIS_FOLDER")
queries = model.encode_query(["what is distillation?"])
documents = model.encode_document(["Distillation trains a small model to score as a large one does."])
print(model.similarity(queries, documents), model.decode(queries, top_k=10))"""

    penalties: ClassVar[Mapping[Side, RegulariserName]] = {"query": "flops", "document": "flops"}

    def load(self, start: Start) -> Any:
        """A `SparseEncoder` without routes."""
        model = plain(start)
        pool_before_activation(model)
        return model


def plain(start: Start) -> Any:
    """The SPLADE model to start from, one for queries and documents.

    Raises:
        ModelReferenceError: none, or one with a query side of its own.
    """
    model = sparse.load(start.reference, start.config.dropout, start.config.new_head, start.config.seed)
    if not sparse.is_routed(model):
        return model
    raise ModelReferenceError(
        expected="a SPLADE model that encodes queries and documents alike",
        got=f"{start.reference!r}: one with a query side of its own",
        consequence="no student was loaded",
        remedy="train it on with --type inference-free",
    )


TYPE = Splade()
