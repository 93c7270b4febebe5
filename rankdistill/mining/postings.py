"""BM25's table of words and documents, made text by text; large ones lie on disk."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import bm25s
import numpy as np
from numpy.typing import NDArray

from rankdistill.data.spill import Spill
from rankdistill.mining import tokenisers

TEXTS_AT_ONCE = 4096

POSTINGS_AT_ONCE = 1 << 24
"""Pairs of a word and a document that are brought into the order of words together."""


class Postings:
    """How often each word stands in each text: 8 bytes a distinct word of a text, on disk once they are many.

    Memory holds the vocabulary, and 8 bytes a text.

    Args:
        tokenizer: what a word is, a name in `tokenisers.names()`.

    Raises:
        ConfigError: no such tokeniser.
    """

    def __init__(self, tokenizer: str = tokenisers.DEFAULT) -> None:
        self._tokenise = tokenisers.named(tokenizer)
        self._vocabulary: dict[str, int] = {}
        self._words, self._counts = Spill(), Spill()
        self._lengths: list[NDArray[np.int32]] = []  # words a text
        self._distinct: list[NDArray[np.int32]] = []  # distinct words a text
        self._documents = np.zeros(0, np.int64)  # documents a word

    def __len__(self) -> int:
        return sum(map(len, self._lengths))

    def add(self, texts: Iterable[str]) -> None:
        """Count the words of further texts."""
        remaining = iter(texts)
        while some := list(islice(remaining, TEXTS_AT_ONCE)):
            self._add(self._tokenise(some))

    def _add(self, tokens: list[list[str]]) -> None:
        known = self._vocabulary
        lengths = np.array([len(words) for words in tokens], np.int64)
        flat = np.fromiter((known.setdefault(word, len(known)) for words in tokens for word in words), np.int64)
        text = np.repeat(np.arange(len(tokens)), lengths)
        pairs, counts = np.unique(text * max(1, len(known)) + flat, return_counts=True)
        text, word = np.divmod(pairs, max(1, len(known)))
        self._words.append_array(word.astype(np.int32))
        self._counts.append_array(counts.astype(np.int32))
        self._lengths.append(lengths.astype(np.int32))
        self._distinct.append(np.bincount(text, minlength=len(tokens)).astype(np.int32))
        documents = np.bincount(word, minlength=len(known))
        documents[: len(self._documents)] += self._documents
        self._documents = documents

    def index(self, k1: float, b: float) -> bm25s.BM25 | None:
        """What bm25s (method `lucene`) makes of these texts, to the last bit; None where they have no word.

        Args:
            k1: saturation of term frequency.
            b: length normalisation.
        """
        if not self._vocabulary:
            return None
        # In alphabetical order, since bm25s's own follows the hashes of the words.
        words = sorted(self._vocabulary)
        of_rank = np.fromiter((self._vocabulary[word] for word in words), np.int64, len(words))
        rank = np.empty(len(words), np.int64)
        rank[of_rank] = np.arange(len(words))
        frequencies, lengths = self._documents[of_rank], np.concatenate(self._lengths)
        weights = np.array([_idf(int(found), len(lengths)) for found in frequencies], np.float32)
        starts = np.concatenate([[0], np.cumsum(frequencies)])
        data, places = Spill(), Spill()
        for first, last in _ranges(starts):
            size = int(starts[last] - starts[first])
            found, where = np.empty(size, np.float32), np.empty(size, np.int32)
            filled = starts[first:last] - starts[first]
            for word, text, count in self._blocks(rank):
                inside = (word >= first) & (word < last)
                word, text, count = word[inside], text[inside], count[inside]
                order = np.argsort(word, kind="stable")
                word, text, count = word[order], text[order], count[order].astype(np.float32)
                length = lengths[text].astype(np.int64)
                saturated = count / (k1 * ((1 - b) + b * length / lengths.mean()) + count)
                column = word - first
                held = np.bincount(column, minlength=last - first)
                offset = np.arange(len(word)) - np.repeat(np.cumsum(held) - held, held)
                at = filled[column] + offset
                found[at], where[at] = weights[word] * saturated, text
                filled += held
            data.append_array(found)
            places.append_array(where)
        made = bm25s.BM25(method="lucene", k1=k1, b=b)
        made.scores = {
            "data": data.array(np.float32),
            "indices": places.array(np.int32),
            "indptr": starts,
            "num_docs": len(lengths),
        }
        made.vocab_dict = {word: place for place, word in enumerate(words)} | {"": len(words)}
        made.unique_token_ids_set = set(made.vocab_dict.values())
        made.nonoccurrence_array = None
        return made

    def _blocks(self, rank: NDArray[np.int64]) -> Iterator[tuple[NDArray[Any], ...]]:
        """Rank of the word, number of the text, and count, of the pairs of some texts together."""
        self._words.flush()
        self._counts.flush()
        start, first = 0, 0
        for distinct in self._distinct:
            end = start + 4 * int(distinct.sum())
            word, count = (np.frombuffer(held.read(start, end), np.int32) for held in (self._words, self._counts))
            yield rank[word], np.repeat(np.arange(first, first + len(distinct)), distinct), count
            start, first = end, first + len(distinct)


def _idf(documents: int, total: int) -> float:
    """Of a word that stands in so many of all documents; as in Lucene."""
    return math.log(1 + (total - documents + 0.5) / (documents + 0.5))


def _ranges(starts: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Words whose pairs are at most `POSTINGS_AT_ONCE`, or a single one."""
    first, words = 0, len(starts) - 1
    while first < words:
        last = int(np.searchsorted(starts, starts[first] + POSTINGS_AT_ONCE, "right")) - 1
        last = min(max(last, first + 1), words)
        yield first, last
        first = last
