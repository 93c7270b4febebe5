"""The teacher's vectors of dev texts: from the store where they are, else encoded once and kept on disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rankdistill import files, integrity
from rankdistill.errors import SpaceMismatchError
from rankdistill.inference.encoder import TextEncoder
from rankdistill.manifest import digest
from rankdistill.teachers.base import Role
from rankdistill.training.alignment.source import EmbeddingSource

LOCK_WAIT = 86400.0
"""Seconds to wait for another process of the run that encodes the same texts."""


class TeacherVectors:
    """The teacher of `store`, loaded only if a text has no vector yet.

    Args:
        store: where most vectors come from.
        folder: vectors that were encoded are kept here, one file a set of texts.
    """

    def __init__(self, store: EmbeddingSource, folder: Path) -> None:
        self._store, self._folder = store, folder
        self._encoder: TextEncoder | None = None

    def of(self, texts: Sequence[str], kind: Role) -> NDArray[np.float32]:
        """float32[n, dim]: the vectors of `texts`, with the teacher's prompt for `kind`.

        Raises:
            ModelReferenceError: a text is not in the store, and the teacher is not to be found.
            SpaceMismatchError: the teacher's reference holds another model now.
        """
        rows = self._store.find(texts, kind)
        found = np.empty((len(texts), self._store.dimension), dtype=np.float32)
        present = rows >= 0
        found[present] = self._store.vectors()[rows[present]]
        absent = [text for text, here in zip(texts, present, strict=True) if not here]
        if absent:
            found[~present] = self._encoded(absent, kind)
        return found

    def _encoded(self, texts: list[str], kind: Role) -> NDArray[np.float32]:
        name = digest({"teacher": self._store.teacher_id, "kind": kind, "texts": texts})[:16]
        path = self._folder / f"{kind}-{name}.npy"
        if not integrity.is_kept(path):
            with files.exclusive(self._folder, LOCK_WAIT):
                if not integrity.is_kept(path):
                    encoder = self._teacher()
                    vectors = encoder.encode_queries(texts) if kind == "query" else encoder.encode_documents(texts)
                    with integrity.making_again(path, self._folder) as temporary, temporary.open("wb") as file:
                        np.save(file, vectors)
        return np.load(path)

    def _teacher(self) -> TextEncoder:
        if self._encoder is None:
            self._encoder = open_teacher(
                self._store, "the dev texts would get vectors of another space", "embed the dev texts into the store"
            )
        return self._encoder


def open_teacher(store: EmbeddingSource, consequence: str, remedy: str, backend: str = "auto") -> TextEncoder:
    """The teacher of `store`, loaded.

    Args:
        store: of its vectors.
        consequence: what would come of another model.
        remedy: what to do instead of putting the teacher back.
        backend: what runs it.

    Raises:
        ModelReferenceError: it is not to be found.
        SpaceMismatchError: its reference holds another model now.
    """
    encoder = TextEncoder(store.reference, backend, store.space.max_length)
    differences = store.space.differences(encoder.space).items()
    if differences:
        raise SpaceMismatchError(
            expected=f"the teacher of the store at {store.reference}",
            got="; ".join(f"{name}: store {ours!r}, model {theirs!r}" for name, (ours, theirs) in differences),
            consequence=f"nothing was trained: {consequence}",
            remedy=f"put the teacher back, or {remedy}",
        )
    return encoder
