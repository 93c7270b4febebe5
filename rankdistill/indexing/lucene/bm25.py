"""Lucene's BM25 with Anserini's text analysis: the published baseline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rankdistill.errors import ConfigError
from rankdistill.indexing.base import Allowed, Ids, Scores
from rankdistill.indexing.deepening import deepened_ids
from rankdistill.indexing.documents import read_ids, write_ids
from rankdistill.indexing.lucene.folder import Classes, LuceneFolder
from rankdistill.indexing.lucene.hits import search_all
from rankdistill.indexing.vectors import check_ids, check_k

ENGLISH = "en"
LANGUAGES = (
    *("ar", "bn", "da", "de", ENGLISH, "es", "fa", "fi", "fr", "hi", "hu", "id", "it"),
    *("ja", "ko", "nl", "no", "pl", "pt", "ru", "sv", "te", "th", "tr", "uk", "zh"),
)
"""Those that Anserini has an analyser of, by their codes in ISO 639-1."""

_ARGUMENTS = ("-collection", "JsonCollection", "-generator", "DefaultLuceneDocumentGenerator", "-threads", "1")


class LuceneBm25Index:
    """BM25 over texts: Porter's stems, Lucene's English stop words, or what Anserini takes for another language.

    Scores are Anserini's: rounded to 4 digits, and equal ones lowered by 1e-6 a rank, in the order of the document ids.
    A document without a word of the query is not found, so a row of a result may end in `NOTHING`.

    Args:
        k1: saturation of term frequency; 0.9 as in Anserini.
        b: length normalisation; 0.4 as in Anserini.
        threads: of searching.
        language: a code in `LANGUAGES`.

    Raises:
        ConfigError: no such language.
        MissingDependencyError: there is no Pyserini, or no Java that is new enough.
    """

    dimension = 0

    def __init__(self, k1: float = 0.9, b: float = 0.4, threads: float = 1, language: str = ENGLISH) -> None:
        require_language(language)
        self.ids: list[str] = []
        self._k1, self._b, self._threads, self._language = float(k1), float(b), int(threads), language
        arguments = [*_ARGUMENTS, "-optimize"] + ([] if language == ENGLISH else ["-language", language])
        self._lucene = LuceneFolder("io.anserini.index.IndexCollection", arguments, self._searcher)

    def add(self, ids: Sequence[str], texts: Iterable[str]) -> None:
        """See `Index.add`; texts are read once."""
        check_ids(ids, self.ids)
        self._lucene.write({"id": name, "contents": text} for name, text in zip(ids, texts, strict=True))
        self.ids.extend(ids)

    def search(self, texts: Sequence[str], k: int, allowed: Allowed | None = None) -> tuple[Ids, Scores]:
        """See `Index.search`; the result has `min(k, documents)` columns."""
        check_k(k)
        if allowed is not None:
            return deepened_ids(lambda depth: self.search(texts, depth), self.ids, allowed, k)
        searcher = self._lucene.opened()
        return search_all(searcher, texts, min(k, len(self.ids)), self._threads, self._lucene.subject)

    def save(self, folder: Path) -> None:
        """See `Index.save`."""
        self._lucene.save(folder)
        write_ids(folder, self.ids)

    @classmethod
    def load(
        cls, folder: Path, k1: float = 0.9, b: float = 0.4, threads: float = 1, language: str = ENGLISH
    ) -> LuceneBm25Index:
        """Read what `save` wrote; raises as `LuceneFolder.read` does."""
        index = cls(k1, b, threads, language)
        index.ids = read_ids(folder, None)
        index._lucene.read(folder)
        return index

    def _searcher(self, classes: Classes, folder: str) -> Any:
        searcher = classes("io.anserini.search.SimpleSearcher")(folder)
        searcher.set_bm25(self._k1, self._b)
        if self._language != ENGLISH:
            searcher.set_language(self._language)
        return searcher


def require_language(code: str) -> None:
    """Raise ConfigError where Anserini has no analyser of that language; it would take another one without a word."""
    if code not in LANGUAGES:
        raise ConfigError(
            expected=f"a language of Anserini: {', '.join(LANGUAGES)}",
            got=repr(code),
            consequence="nothing was indexed",
            remedy="name one of those, or take the back end bm25 and its tokenizer",
        )
