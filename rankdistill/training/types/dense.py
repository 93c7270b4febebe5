"""Dense students: one vector a text."""

from __future__ import annotations

from typing import Any

from rankdistill.students import dense
from rankdistill.training.batch import Start
from rankdistill.training.types.base import StudentType


class Dense(StudentType):
    """Any sentence-transformers model, or a transformers encoder with mean pooling on top."""

    usage = """from sentence_transformers import SentenceTransformer

model = SentenceTransformer("PATH_OF_THIS_FOLDER")
queries = model.encode_query(["what is distillation?"])
documents = model.encode_document(["Distillation trains a small model to score as a large one does."])
print(model.similarity(queries, documents))"""

    def load(self, start: Start) -> Any:
        """The model of `students.dense.load`."""
        return dense.load(start.reference, dropout=start.config.dropout)


TYPE = Dense()
