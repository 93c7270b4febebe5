"""BM25 over whole texts, as an index that is kept on disk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from rankdistill.indexing.backend import BM25_BOUNDS, Backend, IndexSettings
from rankdistill.indexing.base import NOTHING, Allowed, Ids, Scores
from rankdistill.indexing.documents import read_ids, write_ids
from rankdistill.indexing.vectors import check_ids, check_k
from rankdistill.mining import tokenisers
from rankdistill.mining.bm25 import Bm25
from rankdistill.mining.postings import Postings
from rankdistill.mining.sources.bm25 import DEFAULT


class Bm25Index:
    """`rankdistill.mining.bm25.Bm25`; its statistics are those of all documents.

    A document without a word of the query is not found, so a row of a result may end in `NOTHING`.

    Args:
        k1: saturation of term frequency.
        b: length normalisation.
        tokenizer: what a word is, a name in `rankdistill.mining.tokenisers`.
    """

    def __init__(self, k1: float = 0.9, b: float = 0.4, tokenizer: str = DEFAULT) -> None:
        self.ids: list[str] = []
        self._k1, self._b, self._tokenizer = k1, b, tokenizer
        self._postings = Postings(tokenizer)
        self._index: Bm25 | None = None

    def add(self, ids: Sequence[str], texts: Iterable[str]) -> None:
        """See `Index.add`; texts are read once."""
        check_ids(ids, self.ids)
        self.ids.extend(ids)
        self._postings.add(texts)
        self._index = None

    def search(self, texts: Sequence[str], k: int, allowed: Allowed | None = None) -> tuple[Ids, Scores]:
        """See `Index.search`; the result has `min(k, documents)` columns."""
        check_k(k)
        width = min(k, len(self.ids))
        ids = np.full((len(texts), width), NOTHING, object)
        scores = np.full((len(texts), width), -np.inf, np.float32)
        found = self._built().retrieve(texts, width, allowed=allowed)
        for row, (names, values) in enumerate(zip(*found, strict=True)):
            ids[row, : len(names)], scores[row, : len(names)] = names, values
        return ids, scores

    def save(self, folder: Path) -> None:
        """See `Index.save`."""
        self._built().save(folder)
        write_ids(folder, self.ids)

    @classmethod
    def load(cls, folder: Path, k1: float = 0.9, b: float = 0.4, tokenizer: str = DEFAULT) -> Bm25Index:
        """Read what `save` wrote.

        Raises:
            DataError: a file is absent or damaged.
        """
        index = cls(k1, b, tokenizer)
        index.ids = read_ids(folder, None)
        index._index = Bm25.load(folder, index.ids, tokenizer)
        return index

    def _built(self) -> Bm25:
        if self._index is None:
            self._index = Bm25.of_postings(self._postings, self.ids, self._k1, self._b, self._tokenizer)
        return self._index


def _create(settings: IndexSettings, threads: int) -> Bm25Index:
    return Bm25Index(**settings.build_parameters)


def _load(folder: Path, settings: IndexSettings, mmap: bool, gpu: bool) -> Bm25Index:
    return Bm25Index.load(folder, **settings.build_parameters)


def _require_tokenizer(name: str) -> None:
    tokenisers.named(name)


BACKEND = Backend(
    _create,
    _load,
    ("k1", "b", "tokenizer"),
    build_defaults={"k1": 0.9, "b": 0.4},
    bounds=BM25_BOUNDS,
    names={"tokenizer": _require_tokenizer},
)
