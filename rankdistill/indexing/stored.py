"""Document vectors that an embedding store holds already, so that a corpus is encoded once for many students."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill.errors import SpaceMismatchError
from rankdistill.indexing.base import Vectors
from rankdistill.indexing.encoding import DocumentEncoder
from rankdistill.progress import Progress
from rankdistill.space import Space

if TYPE_CHECKING:
    from rankdistill.stores.embeddings.reader import EmbeddingStore


class StoredDocuments:
    """A document encoder that takes from `store` what it holds, by content, and encodes the rest.

    A store in float16 gives vectors rounded to about three digits; `fingerprint` says so.

    Args:
        encoder: of the documents that are not in the store.
        store: vectors of the same model.

    Raises:
        SpaceMismatchError: the store's vectors are of another space than the encoder's.
    """

    def __init__(self, encoder: DocumentEncoder, store: EmbeddingStore) -> None:
        if differing := store.space.differences(encoder.space):
            raise SpaceMismatchError(
                expected="an embedding store of the document model",
                got="; ".join(f"{name}: store {one!r}, model {other!r}" for name, (one, other) in differing.items()),
                consequence="its vectors would be compared with others of another space, so nothing was run",
                remedy="give the embeddings of this model, or leave them out: then documents are encoded",
            )
        self._encoder, self._store = encoder, store

    @property
    def space(self) -> Space:
        """The encoder's space, which is the store's."""
        return self._encoder.space

    @cached_property
    def fingerprint(self) -> Mapping[str, Any]:
        """The encoder's, and what the vectors are rounded to where they are stored."""
        stored = {"teacher_id": self._store.teacher_id, "dtype": str(self._store.vectors().dtype)}
        return {**self._encoder.fingerprint, "stored": stored}

    @property
    def identity(self) -> Mapping[str, Any]:
        """What an index of these vectors is known by: `fingerprint`, or the encoder's where it would give the same."""
        theirs = {name: value for name, value in self._store.fingerprint.items() if name not in ("kind", "similarity")}
        same = theirs == dict(self._encoder.fingerprint) and self._store.dtype == "float32"
        return self._encoder.fingerprint if same else self.fingerprint

    def encode_documents(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        """float32 `[n, dimension]`; `progress` is called with the number of texts done since the last call."""
        return self._store.complete(
            texts, "document", lambda absent: self._encoder.encode_documents(absent, progress), progress
        )


def with_stored(encoder: DocumentEncoder, embeddings: str | Path) -> StoredDocuments:
    """`encoder`, helped by the embedding store in the folder `embeddings`.

    Raises:
        RankdistillError: there is no finished store, or it is of another space.
    """
    from rankdistill.stores.embeddings.reader import EmbeddingStore

    return StoredDocuments(encoder, EmbeddingStore(Path(embeddings)))
