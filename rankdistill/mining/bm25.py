"""BM25 with the settings of published baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import bm25s
import numpy as np
from numpy.typing import NDArray

from rankdistill import files
from rankdistill.errors import DataError
from rankdistill.mining import tokenisers
from rankdistill.mining.top_k import top_indices
from rankdistill.progress import Progress

VOCABULARY_FILE = "vocab.index.json"
"""Among the files of bm25s; absent where no document has a word."""


class Bm25:
    """A BM25 index in memory: bm25s (method `lucene`), one thread; English stems and stop words unless told otherwise.

    `score(q, d) = sum over query tokens t of ln(1 + (N - n_t + .5) / (n_t + .5)) * f / (f + k1 (1 - b + b |d| / avg))`,
    with `f` the count of t in d, `n_t` the documents with t, `|d|` the tokens of d (Lucene's variant as in Kamphuis et
    al. 2020; the constant factor k1 + 1 is left out, which changes no ranking).

    Args:
        contents: doc_id -> text (title and text joined by a space).
        k1: saturation of term frequency; 0.9 as in Anserini.
        b: length normalisation; 0.4 as in Anserini.
        tokenizer: what a word is, a name in `tokenisers.names()`.

    Raises:
        ConfigError: no such tokeniser.
    """

    def __init__(
        self, contents: Mapping[str, str], k1: float = 0.9, b: float = 0.4, tokenizer: str = tokenisers.DEFAULT
    ) -> None:
        self._doc_ids = list(contents)
        self._tokenise = tokenisers.named(tokenizer)
        tokens = self._tokenise(list(contents.values()))
        self._is_empty = not any(tokens)
        self._index = bm25s.BM25(method="lucene", k1=k1, b=b)
        if not self._is_empty:
            # A vocabulary in alphabetical order, since bm25s's own follows the hashes of the words.
            vocabulary = {word: row for row, word in enumerate(sorted({word for words in tokens for word in words}))}
            rows = [[vocabulary[word] for word in words] for words in tokens]
            self._index.index((rows, vocabulary), show_progress=False)

    def retrieve(
        self,
        queries: Sequence[str],
        depth: int,
        progress: Progress = lambda advanced: None,
        allowed: NDArray[np.bool_] | None = None,
    ) -> tuple[list[list[str]], list[NDArray[np.float32]]]:
        """The best `depth` documents of each query, as (ids, BM25 scores), best first.

        Documents that share no token with the query (score 0) are left out, so a list may be shorter than `depth`.
        Documents of equal score come in the order of the corpus.

        Args:
            queries: the query texts.
            depth: most documents for one query.
            progress: called with 1 after each query.
            allowed: bool `[documents]`, those that may be found; None: all. Scores are what they are without it.
        """
        ids, scores = [], []
        for tokens in self._tokenise(list(queries)):
            found = self._scores(tokens)
            matching = np.flatnonzero(found > 0 if allowed is None else (found > 0) & allowed)
            best = matching[top_indices(found[matching], depth)]
            ids.append([self._doc_ids[position] for position in best])
            scores.append(found[best])
            progress(1)
        return ids, scores

    def save(self, folder: Path) -> None:
        """Write the index, without the ids, into `folder`, which exists."""
        if not self._is_empty:
            with files.output_errors(folder):
                self._index.save(folder, vocab_name=VOCABULARY_FILE, show_progress=False)

    @classmethod
    def load(cls, folder: Path, doc_ids: Sequence[str], tokenizer: str = tokenisers.DEFAULT) -> Bm25:
        """Read what `save` wrote of documents with these ids, taken apart by this tokeniser.

        Raises:
            DataError: a file is absent or damaged, or of another number of documents.
        """
        index = cls({}, tokenizer=tokenizer)
        index._doc_ids = list(doc_ids)
        index._is_empty = not (folder / VOCABULARY_FILE).is_file()
        if index._is_empty:
            return index
        try:
            index._index = bm25s.BM25.load(folder, vocab_name=VOCABULARY_FILE, show_progress=False)
            found = int(index._index.scores["num_docs"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _unreadable(folder, str(error)) from error
        if found != len(index._doc_ids):
            raise _unreadable(folder, f"{found} documents, {len(index._doc_ids)} ids")
        return index

    def _scores(self, tokens: list[str]) -> NDArray[np.float32]:
        """Score of every document, float32[documents]."""
        known = [] if self._is_empty else self._index.get_tokens_ids(tokens)
        if not known:
            return np.zeros(len(self._doc_ids), dtype=np.float32)
        return self._index.get_scores_from_ids(known)


def _unreadable(folder: Path, got: str) -> DataError:
    return DataError(
        expected=f"a BM25 index in {folder}",
        got=got,
        consequence="the index was not loaded",
        remedy="remove the folder of the index, then build it again",
    )
