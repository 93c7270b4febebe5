"""BM25 with the settings of published baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import bm25s
import numpy as np
from numpy.typing import NDArray

from rankdistill import files
from rankdistill.data.spill import release
from rankdistill.errors import DataError
from rankdistill.mining import tokenisers
from rankdistill.mining.postings import Postings
from rankdistill.mining.top_k import top_indices
from rankdistill.progress import Progress

VOCABULARY_FILE = "vocab.index.json"
"""Among the files of bm25s; absent where no document has a word."""

_RELEASED_AFTER = 256
"""Queries, after which what was read of postings on disk is given back."""


class Bm25:
    """A BM25 index: bm25s (method `lucene`), one thread; English stems and stop words unless told otherwise.

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
        postings = Postings(tokenizer)
        postings.add(contents.values())
        self._set(postings.index(k1, b), list(contents), tokenizer)

    @classmethod
    def of_postings(
        cls, postings: Postings, doc_ids: Sequence[str], k1: float, b: float, tokenizer: str = tokenisers.DEFAULT
    ) -> Bm25:
        """The index of texts that were counted already, one a document of `doc_ids`."""
        if len(postings) != len(doc_ids):
            raise ValueError(f"{len(doc_ids)} ids of {len(postings)} texts")
        made = cls.__new__(cls)
        made._set(postings.index(k1, b), doc_ids, tokenizer)
        return made

    def _set(self, index: bm25s.BM25 | None, doc_ids: Sequence[str], tokenizer: str) -> None:
        self._index, self._doc_ids, self._tokenise = index, doc_ids, tokenisers.named(tokenizer)

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
            if len(ids) % _RELEASED_AFTER == 0 and self._index is not None:
                for name in ("data", "indices"):
                    release(self._index.scores[name])
        return ids, scores

    def save(self, folder: Path) -> None:
        """Write the index, without the ids, into `folder`, which exists."""
        if self._index is not None:
            with files.output_errors(folder):
                self._index.save(folder, vocab_name=VOCABULARY_FILE, show_progress=False)

    @classmethod
    def load(cls, folder: Path, doc_ids: Sequence[str], tokenizer: str = tokenisers.DEFAULT) -> Bm25:
        """Read what `save` wrote of documents with these ids, taken apart by this tokeniser; postings stay on disk.

        Raises:
            DataError: a file is absent or damaged, or of another number of documents.
        """
        made = cls.__new__(cls)
        if not (folder / VOCABULARY_FILE).is_file():
            made._set(None, list(doc_ids), tokenizer)
            return made
        try:
            index = bm25s.BM25.load(folder, vocab_name=VOCABULARY_FILE, show_progress=False, mmap=True)
            found = int(index.scores["num_docs"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _unreadable(folder, str(error)) from error
        if found != len(doc_ids):
            raise _unreadable(folder, f"{found} documents, {len(doc_ids)} ids")
        made._set(index, list(doc_ids), tokenizer)
        return made

    def _scores(self, tokens: list[str]) -> NDArray[np.float32]:
        """Score of every document, float32[documents]."""
        known = [] if self._index is None else self._index.get_tokens_ids(tokens)
        if self._index is None or not known:
            return np.zeros(len(self._doc_ids), dtype=np.float32)
        found: NDArray[np.float32] = self._index.get_scores_from_ids(known)
        return found


def _unreadable(folder: Path, got: str) -> DataError:
    return DataError(
        expected=f"a BM25 index in {folder}",
        got=got,
        consequence="the index was not loaded",
        remedy="remove the folder of the index, then build it again",
    )
