"""What a built index holds, used again: for another index of the same model, and for a second stage.

The verbs encode a collection for each index, and for each model that ranks; here it is done once, which saves hours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import rankdistill
from rankdistill import files
from rankdistill.data import Dataset
from rankdistill.indexing import build
from rankdistill.indexing.exact import VECTORS_FILE
from rankdistill.indexing.multi_vector.base import read_vectors
from rankdistill.inference import TextEncoder
from rankdistill.inference.loading import PAIR_HEAD
from rankdistill.inference.multi_vector_encoder import MultiVectorTextEncoder
from rankdistill.inference.pair_head import read
from rankdistill.inference.token_vectors import TokenVectors
from rankdistill.progress import Progress
from rankdistill.space import MultiVectorSpace
from rankdistill.teachers.distinct import distinct

SHARD = "shard-00000"
"""The one shard of an index that was built without a shard size."""


class HeldTokens:
    """The token vectors of an exact index of the whole collection, mapped from disk: what a build takes for a model.

    Args:
        model: that the index was built with.
        index: its folder.
    """

    def __init__(self, model: Path, index: Path) -> None:
        self._encoder, self._model, self._index = MultiVectorTextEncoder(str(model)), str(model), index

    @property
    def space(self) -> MultiVectorSpace:
        """The model's."""
        return self._encoder.space

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """The model's."""
        return self._encoder.fingerprint

    def encode_documents(self, texts: Sequence[str], progress: Progress | None = None) -> TokenVectors:
        """Those of all documents: the whole collection is one shard."""
        return read_vectors(self._index / SHARD, mmap=True)

    def into(self, dataset: Dataset, out: Path, factory: str) -> Path:
        """Build the index `out` of the same collection, without snippets; gives `out`."""
        build(dataset, self._model, out, factory, encoder=self, snippet_length=0)
        return out


class HeldPairs:
    """A pair head over the document vectors of an exact dense index; only queries are encoded.

    Args:
        head: folder of the head and the dense model below it.
        index: of that model.
        dataset: whose documents are in the index.
    """

    def __init__(self, head: Path, index: Path, dataset: Dataset) -> None:
        self._encoder, self._head = TextEncoder(str(head)), read(head)
        self._hash = files.hash_file(head / PAIR_HEAD)
        self._vectors = np.load(index / SHARD / VECTORS_FILE, mmap_mode="r")
        self._rows = {dataset.contents[doc_id]: row for row, doc_id in enumerate(rankdistill.open(index).ids)}

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """The encoder's, and the head's weights."""
        return {"kind": "pair_head over an index", "head": self._hash} | dict(self._encoder.fingerprint)

    def score(self, pairs: Sequence[tuple[str, str]], progress: Callable[[int], None] | None = None) -> np.ndarray:
        """float32 `[n]` for (query text, document text) pairs."""
        queries, places = distinct([query for query, _ in pairs])
        documents = self._vectors[[self._rows[document] for _, document in pairs]]
        scores = self._head.score_vectors(self._encoder.encode_queries(queries)[places], documents)
        if progress is not None:
            progress(len(pairs))
        return scores
