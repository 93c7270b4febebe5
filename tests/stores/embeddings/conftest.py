"""A counting, deterministic embedding teacher, and texts to embed with it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rankdistill import data
from rankdistill.manifest import digest
from rankdistill.progress import Progress
from rankdistill.space import Space
from rankdistill.stores.embeddings.gathering import Gathered, gather
from rankdistill.stores.embeddings.sources import Sources
from rankdistill.stores.embeddings.text_files import TextFile
from rankdistill.stores.embeddings.writer import EmbeddingWriter
from rankdistill.teachers.base import EmbeddingTeacher, Role

DIMENSION = 8


class HashEmbedder:
    """Embeds a text by a checksum of it and its role, and remembers which texts it was given.

    Args:
        name: of the teacher.
        value: put in the place of the last number.
        fail_after: texts before it is interrupted.
        noise: added to each vector by the teacher itself, not by its exact form.
    """

    reference = "path/to/model"

    def __init__(
        self, name: str = "hash", value: float | None = None, fail_after: int | None = None, noise: float = 0.0
    ) -> None:
        self.name, self.value, self.fail_after, self.noise = name, value, fail_after, noise
        self.seen: list[tuple[Role, str]] = []

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        return {"name": self.name}

    @property
    def teacher_id(self) -> str:
        return f"{self.name}-{digest(self.fingerprint)[:6]}"

    @property
    def space(self) -> Space:
        return Space(DIMENSION, normalised=False, similarity="dot", document_tower=self.name)

    @property
    def prompts(self) -> Mapping[Role, str]:
        return {"query": "q: ", "document": ""}

    def is_cut(self, texts: Sequence[str], role: Role) -> np.ndarray:
        return np.array([len(text) > 60 for text in texts], dtype=bool)

    def embed(self, texts: Sequence[str], role: Role, progress: Progress | None = None) -> np.ndarray:
        if self.fail_after is not None and len(self.seen) >= self.fail_after:
            raise KeyboardInterrupt
        self.seen += [(role, text) for text in texts]
        vectors = np.stack([expected(role, text) for text in texts]) + np.float32(self.noise)
        if self.value is not None:
            vectors[-1, -1] = self.value
        if progress:
            progress(len(texts))
        return vectors

    def exact(self) -> Callable[[], EmbeddingTeacher] | None:
        return HashEmbedder if self.noise else None


def expected(role: str, text: str) -> np.ndarray:
    """The vector of a text, float32[DIMENSION]."""
    seed = zlib.crc32(f"{role}|{text}".encode())
    return np.random.default_rng(seed).normal(size=DIMENSION).astype(np.float32)


@pytest.fixture
def lines(tmp_path: Path) -> Callable[..., Sources]:
    """Sources with one plain file of `count` texts of a kind."""

    def make(count: int, kind: Role = "query", name: str = "lines.txt", first: int = 0) -> Sources:
        path = tmp_path / name
        path.write_text("".join(f"text number {number}\n" for number in range(first, first + count)))
        return Sources(files=[TextFile(path, kind)])

    return make


@pytest.fixture
def tiny_sources(tiny_beir: Path) -> Sources:
    """The tiny collection."""
    return Sources([data.load(tiny_beir)])


@pytest.fixture
def gathered(tiny_sources: Sources, tmp_path: Path) -> Gathered:
    """The texts of the tiny collection."""
    return gather(tiny_sources, tmp_path / "gathered.parquet")


MakeWriter = Callable[..., EmbeddingWriter]


@pytest.fixture
def writer(gathered: Gathered, tmp_path: Path) -> MakeWriter:
    """Makes a writer into a store with shards of 16 texts."""

    def make(
        teacher: EmbeddingTeacher, store: str = "store", texts: Gathered = gathered, **given: Any
    ) -> EmbeddingWriter:
        return EmbeddingWriter(tmp_path / store, texts, teacher, **{"unit_size": 16, "lock_wait": 0.0, **given})

    return make
