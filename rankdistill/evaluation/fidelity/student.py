"""What scores pairs as a student does: a model of any kind, a bundle, or an object that scores them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rankdistill.bundles import open_document_encoder, open_query_encoder
from rankdistill.progress import Progress
from rankdistill.teachers.base import ScoreKind
from rankdistill.teachers.distinct import distinct
from rankdistill.teachers.embedding import Shares, similarities


class BundlePairs:
    """The similarity of a bundle's query vector and its document tower's vector, in their space.

    Args:
        reference: folder of the bundle.
        backend: of `TextEncoder`, for both towers.
        max_length: tokens a text; None takes each tower's own.

    Raises:
        DataError: the bundle is unfinished.
        SpaceMismatchError: it was edited.
    """

    def __init__(self, reference: str, backend: str = "auto", max_length: int | None = None) -> None:
        self._documents = open_document_encoder(reference, backend, max_length)
        self._queries = open_query_encoder(reference, backend, max_length, documents=self._documents.space)

    @cached_property
    def fingerprint(self) -> Mapping[str, Any]:
        """Of both towers."""
        return {"queries": dict(self._queries.fingerprint), "documents": dict(self._documents.fingerprint)}

    def score(self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None) -> NDArray[np.float32]:
        """float32 `[n]`, cosines or dot products; `progress` gets the share of pairs done."""
        queries, left = distinct([query for query, _ in pairs])
        documents, right = distinct([document for _, document in pairs])
        told = None if progress is None else Shares(len(pairs), len(queries) + len(documents), progress)
        vectors = (
            self._queries.encode_queries(queries, progress=told),
            self._documents.encode_documents(documents, progress=told),
        )
        kind: ScoreKind = "cosine" if self._documents.space.similarity == "cosine" else "dot"
        return similarities(*vectors, left, right, kind)
