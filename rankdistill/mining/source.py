"""What a candidate source is, and the sources by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rankdistill.errors import ConfigError

Hits = tuple[list[list[str]], list[NDArray[np.float32]]]
"""For each query its document ids, best first, and their scores in the source's unit."""

Progress = Callable[[int], None]
"""Called with the number of texts (documents and queries) just finished."""


class Source(Protocol):
    """Retrieves candidates. Loading is lazy, so that a source can be named before any work is done."""

    @property
    def name(self) -> str:
        """What the `source` column says."""

    @property
    def inputs(self) -> Mapping[str, str]:
        """Name -> content hash of what it reads besides the data set."""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Every setting that changes its results."""

    def retrieve(self, contents: Mapping[str, str], queries: Sequence[str], depth: int, progress: Progress) -> Hits:
        """The best `depth` documents of `contents` (doc_id -> text) for each query text, ties in document order."""


@dataclass(frozen=True)
class Bm25Source:
    """BM25 as `rankdistill.mining.bm25.Bm25` scores it."""

    k1: float = 0.9
    b: float = 0.4
    name: str = "bm25"

    @property
    def inputs(self) -> Mapping[str, str]:
        """None: BM25 reads only the data set."""
        return {}

    @property
    def parameters(self) -> Mapping[str, Any]:
        """k1, b and the text analysis."""
        return {"k1": self.k1, "b": self.b, "method": "lucene", "stemmer": "english", "stopwords": "english"}

    def retrieve(self, contents: Mapping[str, str], queries: Sequence[str], depth: int, progress: Progress) -> Hits:
        """Index `contents`, then search; see `Source.retrieve`."""
        from rankdistill.mining.bm25 import Bm25

        index = Bm25(contents, k1=self.k1, b=self.b)
        progress(len(contents))
        return index.retrieve(queries, depth, progress)


@dataclass(frozen=True)
class DenseSource:
    """Exact search with a dense model; scores are cosines or dot products, as the model says.

    Args:
        model: a model reference.
        max_length: tokens of a text that are read; None: the model's own limit.
        name: what the `source` column says; two dense sources in one table need two names.
    """

    model: str
    max_length: int | None = None
    name: str = "dense"

    @property
    def inputs(self) -> Mapping[str, str]:
        """The hash of the model's weights."""
        from rankdistill import models

        return {"model": models.resolve(self.model).weights_hash}

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The length limit."""
        return {"max_length": self.max_length}

    def retrieve(self, contents: Mapping[str, str], queries: Sequence[str], depth: int, progress: Progress) -> Hits:
        """Encode and compare all documents, a chunk at a time; see `Source.retrieve`."""
        from rankdistill.inference import TextEncoder
        from rankdistill.mining.dense import search

        return search(TextEncoder(self.model, max_length=self.max_length), contents, queries, depth, progress)


SOURCES = ("bm25", "dense")
"""What `--source` takes."""


def named(name: str, model: str | None = None, max_length: int | None = None) -> Source:
    """The source called `name`.

    Raises:
        ConfigError: there is none, or `dense` without a model.
    """
    if name == "bm25":
        return Bm25Source()
    if name == "dense" and model is not None:
        return DenseSource(model, max_length)
    raise ConfigError(
        expected="a model for the source 'dense'" if name == "dense" else f"a source: {', '.join(SOURCES)}",
        got="none" if name == "dense" else repr(name),
        consequence="nothing was mined",
        remedy="add --model MODEL" if name == "dense" else "name one of those",
    )
