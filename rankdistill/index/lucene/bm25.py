"""Lucene's BM25 with Anserini's text analysis: the published baseline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rankdistill.index.base import Ids, Scores
from rankdistill.index.documents import read_ids, write_ids
from rankdistill.index.lucene.folder import Classes, LuceneFolder
from rankdistill.index.lucene.hits import search_all
from rankdistill.index.vectors import check_ids, check_k

_ARGUMENTS = ("-collection", "JsonCollection", "-generator", "DefaultLuceneDocumentGenerator", "-threads", "1")


class LuceneBm25Index:
    """BM25 over texts: Porter's stems, Lucene's English stop words.

    Scores are Anserini's: rounded to 4 digits, and equal ones lowered by 1e-6 a rank, in the order of the document ids.
    A document without a word of the query is not found, so a row of a result may end in `NOTHING`.

    Args:
        k1: saturation of term frequency; 0.9 as in Anserini.
        b: length normalisation; 0.4 as in Anserini.
        threads: of searching.

    Raises:
        MissingDependencyError: there is no Pyserini, or no Java that is new enough.
    """

    dimension = 0

    def __init__(self, k1: float = 0.9, b: float = 0.4, threads: float = 1) -> None:
        self.ids: list[str] = []
        self._k1, self._b, self._threads = float(k1), float(b), int(threads)
        self._lucene = LuceneFolder("io.anserini.index.IndexCollection", (*_ARGUMENTS, "-optimize"), self._searcher)

    def add(self, ids: Sequence[str], texts: Sequence[str]) -> None:
        """See `Index.add`."""
        check_ids(ids, self.ids)
        self._lucene.write({"id": name, "contents": text} for name, text in zip(ids, texts, strict=True))
        self.ids.extend(ids)

    def search(self, texts: Sequence[str], k: int) -> tuple[Ids, Scores]:
        """See `Index.search`; the result has `min(k, documents)` columns."""
        check_k(k)
        searcher = self._lucene.opened()
        return search_all(searcher, texts, min(k, len(self.ids)), self._threads, self._lucene.subject)

    def save(self, folder: Path) -> None:
        """See `Index.save`."""
        self._lucene.save(folder)
        write_ids(folder, self.ids)

    @classmethod
    def load(cls, folder: Path, k1: float = 0.9, b: float = 0.4, threads: float = 1) -> LuceneBm25Index:
        """Read what `save` wrote; raises as `LuceneFolder.read` does."""
        index = cls(k1, b, threads)
        index.ids = read_ids(folder, None)
        index._lucene.read(folder)
        return index

    def _searcher(self, classes: Classes, folder: str) -> Any:
        searcher = classes("io.anserini.search.SimpleSearcher")(folder)
        searcher.set_bm25(self._k1, self._b)
        return searcher
