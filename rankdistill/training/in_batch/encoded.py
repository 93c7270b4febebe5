"""The in-batch teacher that is a model: it encodes the texts of a run once, and what it made is kept on disk."""

from __future__ import annotations

import time
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from rankdistill import files, integrity
from rankdistill.errors import ConfigError
from rankdistill.manifest import digest
from rankdistill.notes import tell
from rankdistill.progress import EVERY
from rankdistill.space import Space, SparseSpace
from rankdistill.teachers.base import Role
from rankdistill.teachers.distinct import distinct
from rankdistill.teachers.embedding import BiEncoderTeacher
from rankdistill.teachers.multi_vector import MultiVectorTeacher
from rankdistill.teachers.registry import TeacherSpec
from rankdistill.teachers.sparse import SparseTeacher
from rankdistill.training.in_batch.dense import DenseVectors
from rankdistill.training.in_batch.multi_vector import MultiVectors
from rankdistill.training.in_batch.sparse import SparseVectors

SHARD = 1024
"""Texts a file: what a kill can cost."""

LOCK_WAIT = 86400.0
"""Seconds to wait for another process of the run that encodes the same texts."""

Block = TypeVar("Block")
"""What a kind of model makes of some texts."""


class Form(Protocol[Block]):
    """How the vectors of one kind of model are made, kept and compared, which needs no model: one file a kind."""

    teacher_id: str
    space: Space | None
    tower: Space | SparseSpace | None

    def encode(self, model: Any, texts: Sequence[str], kind: Role) -> Block:
        """What the model makes of the texts."""

    def save(self, path: Path, block: Block) -> None:
        """Write it."""

    def load(self, path: Path) -> Block:
        """Read it."""

    def take(self, blocks: Sequence[Block], places: Sequence[tuple[int, int]]) -> Block:
        """What was made of the texts at places (block, row)."""

    def scores(self, queries: Block, documents: Block) -> NDArray[np.float32]:
        """float32[queries, documents]."""

    def pooled(self, queries: Block) -> Any:
        """One vector a query."""


def open_encoded(spec: TeacherSpec, identity: str, folder: Path, model: Any = None) -> EncodedTeacher[Any]:
    """The teacher; the model is loaded now.

    Args:
        spec: of a kind in `reference.KINDS`.
        identity: names the teacher's content.
        folder: where its vectors are kept.
        model: what `spec` loads, where that was done already.
    """
    model = spec.load() if model is None else model
    form: Form[Any]
    if isinstance(model, BiEncoderTeacher):
        form = DenseVectors(model)
    elif isinstance(model, SparseTeacher):
        form = SparseVectors(model)
    else:
        assert isinstance(model, MultiVectorTeacher)
        form = MultiVectors(model)
    return EncodedTeacher(form, model, identity, folder)


def _key(text: str) -> bytes:
    """What stands for a text: a collection's texts are not held."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class EncodedTeacher(Generic[Block]):
    """Encodes texts when they are made known, in shards that are there already after an interruption.

    The shards are named by the teacher and their texts: whoever asks for the same finds them.

    Args:
        form: of the model's vectors.
        model: the teacher, until it is let go.
        identity: names the teacher's content.
        folder: where the shards lie.
    """

    def __init__(self, form: Form[Block], model: Any, identity: str, folder: Path) -> None:
        self._form, self._model, self._identity, self._folder = form, model, identity, folder
        self._places: dict[Role, dict[bytes, tuple[int, int]]] = {"query": {}, "document": {}}
        self._blocks: list[Block] = []

    @property
    def teacher_id(self) -> str:
        """The model's."""
        return self._form.teacher_id

    @property
    def space(self) -> Space | None:
        """The model's, of a dense one."""
        return self._form.space

    @property
    def tower(self) -> Space | SparseSpace | None:
        """The space of the model's documents; None for a multi-vector model."""
        return self._form.tower

    def know(self, texts: Sequence[str], kind: Role) -> None:
        """Encode those of `texts` that are not known yet, or read what was made of them."""
        known = self._places[kind]
        new = [text for text in distinct(texts)[0] if _key(text) not in known]
        shards = [new[start : start + SHARD] for start in range(0, len(new), SHARD)]
        paths = [self._folder / f"{kind}-{self._name(kind, shard)}" for shard in shards]
        if not all(integrity.is_kept(path) for path in paths):
            tell(f"{self.teacher_id} encodes {len(new):,} {kind} texts")
            with files.exclusive(self._folder, LOCK_WAIT):
                files.remove_temporaries(self._folder)
                told = time.monotonic()
                for number, (shard, path) in enumerate(zip(shards, paths, strict=True)):
                    if time.monotonic() - told >= EVERY:
                        told = time.monotonic()
                        tell(f"{self.teacher_id} encodes {kind} texts: {number * SHARD:,} of {len(new):,} so far")
                    if not integrity.is_kept(path):
                        block = self._form.encode(self._model, shard, kind)
                        with integrity.making_again(path, self._folder) as temporary:
                            self._form.save(temporary, block)
        for shard, path in zip(shards, paths, strict=True):
            number = len(self._blocks)
            self._blocks.append(self._form.load(path))
            known |= {_key(text): (number, row) for row, text in enumerate(shard)}

    def let_go(self) -> None:
        """Free the model."""
        self._model = None

    def scores(self, queries: Sequence[str], documents: Sequence[str]) -> NDArray[np.float32]:
        """float32[queries, documents]: dot products, cosines or MaxSim, as the model declares."""
        return self._form.scores(self.take(queries, "query"), self.take(documents, "document"))

    def topic_vectors(self, queries: Sequence[str]) -> Any:
        """One vector a query."""
        return self._form.pooled(self.take(queries, "query"))

    def vectors(self, texts: Sequence[str], kind: Role) -> NDArray[np.float32]:
        """float32[n, dim] of a dense model; ConfigError for another, which has no single vector of a text."""
        found = self.take(texts, kind)
        if not isinstance(found, np.ndarray):
            raise ConfigError(
                expected="a dense in-batch teacher, which has one vector a text",
                got=f"{self.teacher_id}, which has none",
                consequence="nothing was trained",
                remedy="name an embedding store or a dense model as in_batch_teacher",
            )
        return found

    def rows(self, texts: Sequence[str], kind: Role) -> NDArray[np.float32]:
        """float32[n, dim], or [n, vocabulary] of a sparse model; ConfigError for a multi-vector one."""
        found = self.take(texts, kind)
        return found.toarray() if self.tower is not None and hasattr(found, "toarray") else self.vectors(texts, kind)

    def take(self, texts: Sequence[str], kind: Role) -> Block:
        """What the model made of each of `texts`, which are known."""
        return self._form.take(self._blocks, [self._places[kind][_key(text)] for text in texts])

    def _name(self, kind: Role, shard: Sequence[str]) -> str:
        return digest({"teacher": self._identity, "kind": kind, "texts": list(shard)})[:16]
