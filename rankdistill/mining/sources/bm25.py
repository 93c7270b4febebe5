"""BM25 as a source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rankdistill.mining.source import Hits
from rankdistill.progress import Progress

DEFAULT = "english"
"""The tokeniser of published figures."""


@dataclass(frozen=True)
class Bm25Source:
    """BM25 as `rankdistill.mining.bm25.Bm25` scores it.

    Args:
        k1: saturation of term frequency.
        b: length normalisation.
        name: what the `source` column says.
        tokenizer: what a word is, a name in `rankdistill.mining.tokenisers`.

    Raises:
        ConfigError: no such tokeniser.
    """

    k1: float = 0.9
    b: float = 0.4
    name: str = "bm25"
    tokenizer: str = DEFAULT

    def __post_init__(self) -> None:
        if self.tokenizer != DEFAULT:
            from rankdistill.mining import tokenisers

            tokenisers.named(self.tokenizer)

    @property
    def inputs(self) -> Mapping[str, str]:
        """None: BM25 reads only the data set."""
        return {}

    @property
    def parameters(self) -> Mapping[str, Any]:
        """k1, b and the text analysis."""
        found = {"k1": self.k1, "b": self.b, "method": "lucene"}
        if self.tokenizer == DEFAULT:
            return found | {"stemmer": "english", "stopwords": "english"}
        return found | {"tokenizer": self.tokenizer}

    def retrieve(self, contents: Mapping[str, str], queries: Sequence[str], depth: int, progress: Progress) -> Hits:
        """Index `contents`, then search; see `Source.retrieve`."""
        from rankdistill.mining.bm25 import Bm25

        index = Bm25(contents, k1=self.k1, b=self.b, tokenizer=self.tokenizer)
        progress(len(contents))
        return index.retrieve(queries, depth, progress)
