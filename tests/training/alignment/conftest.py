"""An embedding store in memory: texts of the tiny BEIR folder with the vectors of the tiny encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from rankdistill.data import Dataset, load
from rankdistill.inference import TextEncoder
from rankdistill.manifest import digest
from rankdistill.space import Space
from tests.conftest import write_tiny_beir


@dataclass(frozen=True)
class MemoryEmbeddings:
    """What alignment reads of an embedding store, from arrays."""

    rows: list[tuple[str, str, str]]
    array: np.ndarray
    space: Space
    reference: str
    teacher_id: str = "teacher"

    @property
    def identity(self) -> str:
        return digest({"rows": self.rows, "vectors": self.array.tolist()})

    @property
    def dimension(self) -> int:
        return self.array.shape[1]

    def texts(self) -> pa.Table:
        kinds, sources, texts = zip(*self.rows, strict=True) if self.rows else ((), (), ())
        ids = [f"t{number}" for number in range(len(self.rows))]
        columns = {"text_id": ids, "kind": kinds, "source": sources, "text": texts}
        return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})

    def vectors(self) -> np.ndarray:
        return self.array

    def find(self, texts: Sequence[str], kind: str) -> np.ndarray:
        place = {(row_kind, text): number for number, (row_kind, _, text) in enumerate(self.rows)}
        return np.array([place.get((kind, text), -1) for text in texts], dtype=np.int64)

    def with_rows(self, rows: list[tuple[str, str, str]]) -> MemoryEmbeddings:
        """The same store with these rows added; they get a constant vector."""
        extra = np.full((len(rows), self.dimension), self.dimension**-0.5, dtype=self.array.dtype)
        return replace(self, rows=self.rows + rows, array=np.concatenate([self.array, extra]))


@pytest.fixture
def tiny_data(tiny_beir: Path) -> Dataset:
    return load(tiny_beir)


@pytest.fixture(scope="session")
def made_embeddings(tiny_encoder: str, tmp_path_factory: pytest.TempPathFactory) -> MemoryEmbeddings:
    """Train queries, documents, titles, and the first words of documents."""
    tiny_data = load(write_tiny_beir(tmp_path_factory.mktemp("collection") / "tiny"))
    encoder = TextEncoder(tiny_encoder, backend="torch")
    queries = [("query", "train", text) for text in tiny_data.queries("train").values()]
    documents = [("document", "corpus", text) for text in tiny_data.contents.values()]
    titles = [("document", "titles", one.title) for one in tiny_data.documents()]
    openings = [("document", "openings", " ".join(one.text.split()[:5])) for one in tiny_data.documents()]
    rows = queries + documents + titles + openings
    texts = [text for _, _, text in rows]
    array = np.concatenate(
        [encoder.encode_queries(texts[: len(queries)]), encoder.encode_documents(texts[len(queries) :])]
    )
    return MemoryEmbeddings(rows, array, encoder.space, tiny_encoder)


@pytest.fixture
def tiny_embeddings(made_embeddings: MemoryEmbeddings) -> MemoryEmbeddings:
    """A copy of these."""
    return replace(made_embeddings, rows=[*made_embeddings.rows], array=made_embeddings.array.copy())
