"""The texts of a whole run with their teacher's vectors, in training order, and batches of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from rankdistill.inference.prompts import Role, prompt_of
from rankdistill.training.alignment.config import AlignConfig
from rankdistill.training.alignment.mixture import Mixture

if TYPE_CHECKING:
    import pyarrow as pa
    from sentence_transformers import SentenceTransformer

TEACHER = "teacher_"
"""What the names of the teacher's columns begin with."""

KINDS: tuple[Role, ...] = ("query", "document")


class AlignmentRows(Dataset[dict[str, Any]]):
    """Rows `text, kind, label`; the label is the teacher's vector, read from the store's memory map when it is needed.

    Args:
        texts: the store's texts.
        vectors: the store's vectors, [n, dim].
        mixture: the order.
        length: rows of one pass.
        total: rows of the run.
    """

    column_names = ("text", "kind", "label")

    def __init__(
        self, texts: pa.Table, vectors: NDArray[np.floating[Any]], mixture: Mixture, length: int, total: int
    ) -> None:
        self.texts, self.kinds = texts["text"], texts["kind"]
        self.vectors, self.mixture, self.length, self.total = vectors, mixture, length, total

    def __len__(self) -> int:
        return self.total

    def __getitem__(self, index: int) -> dict[str, Any]:
        number, place = divmod(index, self.length)
        row = int(self.mixture.rows(number)[place])
        return {"text": self.texts[row].as_py(), "kind": self.kinds[row].as_py(), "label": self.vectors[row]}


class AlignmentCollator:
    """Makes of a batch one column of tokens a kind of text, each with its own prompt and length, and the vectors.

    The vectors are in the order of the columns: those of the queries first.

    Args:
        student: reads the texts.
        config: how much of them.
        teacher: reads them too, whole, where its layers are compared with the student's.
    """

    def __init__(
        self, student: SentenceTransformer, config: AlignConfig, teacher: SentenceTransformer | None = None
    ) -> None:
        self.limits = {kind: {} if limit is None else {"max_length": limit} for kind, limit in config.limits.items()}
        self.readers = {"": student} | ({TEACHER: teacher} if teacher is not None else {})
        self.prompts = {
            (name, kind): prompt_of(reader, kind) for name, reader in self.readers.items() for kind in KINDS
        }

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """A batch: `query_input_ids`, ..., `document_input_ids`, ..., and `label` [batch, dim], float32.

        With a teacher that reads the texts too, its columns come after the student's: `teacher_query_input_ids`, ...
        """
        by_kind = {kind: [row for row in rows if row["kind"] == kind] for kind in KINDS}
        batch: dict[str, Any] = {}
        for name, reader in self.readers.items():
            for kind, chosen in by_kind.items():
                if chosen:
                    limits = {} if name else self.limits[kind]
                    texts = [row["text"] for row in chosen]
                    tokens = reader.preprocess(texts, prompt=self.prompts[name, kind], task=kind, **limits)
                    batch |= {f"{name}{kind}_{token}": value for token, value in tokens.items()}
        vectors = np.stack([row["label"] for chosen in by_kind.values() for row in chosen])
        return batch | {"label": torch.from_numpy(vectors.astype(np.float32))}
