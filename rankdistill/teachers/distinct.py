"""Pairs seen as distinct texts: each text is encoded once, documents a chunk at a time so that memory stays flat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np


def distinct(texts: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """The different texts in order of appearance, and int64[n] with the place of each of `texts` among them."""
    rows = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    return list(rows), np.fromiter((rows[text] for text in texts), dtype=np.int64, count=len(texts))


@dataclass(frozen=True)
class DocumentChunk:
    """Some of the distinct documents, and the pairs that have one of them.

    Args:
        documents: the texts.
        pairs: int64[m], numbers of the pairs.
        places: int64[m], the place of each pair's document in `documents`.
    """

    documents: list[str]
    pairs: np.ndarray
    places: np.ndarray


def document_chunks(pairs: Sequence[tuple[str, str]], size: int) -> Iterator[DocumentChunk]:
    """All pairs, once each, in chunks of `size` distinct documents.

    Documents are taken by length: an encoder that pads a chunk's texts to the longest then wastes little.
    """
    documents, row_of_pair = distinct([document for _, document in pairs])
    by_length = np.argsort([len(document) for document in documents], kind="stable")
    place = np.empty(len(documents), dtype=np.int64)
    place[by_length] = np.arange(len(documents))
    place_of_pair = place[row_of_pair]
    by_place = np.argsort(place_of_pair, kind="stable")
    ordered = place_of_pair[by_place]
    for start in range(0, len(documents), size):
        low, high = np.searchsorted(ordered, [start, start + size])
        chosen = by_place[low:high]
        texts = [documents[row] for row in by_length[start : start + size]]
        yield DocumentChunk(texts, chosen, place_of_pair[chosen] - start)
