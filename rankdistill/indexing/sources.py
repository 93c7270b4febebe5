"""Indexes as sources of candidates: built ones of any kind, and Lucene's BM25."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rankdistill import manifest
from rankdistill.errors import DataError
from rankdistill.indexing import registry
from rankdistill.indexing.base import NOTHING, Ids, Scores
from rankdistill.indexing.contents import require_texts
from rankdistill.indexing.searching import load
from rankdistill.mining import sources
from rankdistill.mining.source import Hits
from rankdistill.mining.sources import SourceKind
from rankdistill.progress import Progress

LUCENE_BM25 = "lucene-bm25"


@dataclass(frozen=True)
class IndexSource:
    """A built index of the same documents, searched with its own model; scores are the index's.

    Args:
        index: the folder.
        max_length: tokens of a query that are read; None: the model's own limit.
        name: what the `source` column says.
    """

    index: str
    max_length: int | None = None
    name: str = "index"

    @property
    def inputs(self) -> Mapping[str, str]:
        """The identity of the index; raises DataError where there is none."""
        return {"index": manifest.expect(Path(self.index), "index", "index").identity}

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The length limit."""
        return {"max_length": self.max_length}

    def retrieve(self, contents: Mapping[str, str], queries: Sequence[str], depth: int, progress: Progress) -> Hits:
        """Search; the documents count as done at once.

        Raises:
            DataError: there is no such index, or it holds other documents than `contents`.
        """
        found = load(self.index)
        if set(found.ids) != contents.keys():
            shared = len(contents.keys() & set(found.ids))
            raise DataError(
                expected=f"an index of the {len(contents)} documents that are mined from",
                got=f"{self.index} with {len(found.ids)} documents, {shared} of them among these",
                consequence="nothing was mined",
                remedy="build the index from this data",
            )
        require_texts(found, contents.items(), "the collection that is mined", "nothing was mined")
        progress(len(contents))
        encoder = found.open_query_encoder(max_length=self.max_length)
        hits = _hits(*found.search(encoder.encode_queries(list(queries)), depth))
        progress(len(queries))
        return hits


@dataclass(frozen=True)
class LuceneBm25Source:
    """BM25 as Anserini runs it (k1 = 0.9, b = 0.4), see `rankdistill.indexing.lucene.bm25`.

    Args:
        name: what the `source` column says.
        language: whose analyser takes the texts apart; "": English.

    Raises:
        ConfigError: Anserini has none of that language.
    """

    name: str = LUCENE_BM25
    language: str = ""

    def __post_init__(self) -> None:
        registry.require_known(self._settings)

    @property
    def inputs(self) -> Mapping[str, str]:
        """None: it reads only the data set."""
        return {}

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Those of the index."""
        return dict(registry.build_parameters(self._settings))

    def retrieve(self, contents: Mapping[str, str], queries: Sequence[str], depth: int, progress: Progress) -> Hits:
        """Index `contents`, then search.

        Raises:
            MissingDependencyError: there is no Pyserini, or no Java that is new enough.
        """
        index = registry.create(self._settings)
        index.add(list(contents), list(contents.values()))
        progress(len(contents))
        hits = _hits(*index.search(list(queries), depth))
        progress(len(queries))
        return hits

    @property
    def _settings(self) -> registry.IndexSettings:
        other = {"language": self.language} if self.language else {}
        return registry.IndexSettings(0, "bm25", LUCENE_BM25, build_parameters=other, kind="text")


KINDS: Mapping[str, SourceKind] = {
    **sources.KINDS,
    LUCENE_BM25: SourceKind(lambda argument, max_length, name: LuceneBm25Source(name, argument), "LANGUAGE", True),
    "index": SourceKind(IndexSource, "INDEX"),
}
"""Every kind of source, those without an index too."""


def _hits(ids: Ids, scores: Scores) -> Hits:
    """What an index returns as lists that end where it found no more."""
    found = [row != NOTHING for row in ids]
    return (
        [row[kept].tolist() for row, kept in zip(ids, found, strict=True)],
        [np.asarray(row[kept], np.float32) for row, kept in zip(scores, found, strict=True)],
    )
