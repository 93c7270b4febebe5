"""Documents cut into passages that a model reads whole: overlapping, between sentences where that is possible.

A passage is a piece of its document's text, letter by letter: `text[start:end]`, which its metadata say.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from rankdistill import locations, models
from rankdistill.data import sentence_ends
from rankdistill.errors import ConfigError, ModelReferenceError
from rankdistill.records import Document

TOKENISER = "tokenizer.json"

NAMES = ("document", "passage", "start", "end")
"""What a passage's metadata hold: the document's id, the passage's number from 1, and its place in the text."""

BLOCK = 1 << 16
"""Letters that are tokenised at a time, so that a document of any length takes little memory."""

LEAST = 8
"""Tokens of a passage at least."""

_GAP = re.compile(r"\s+")


class Span(NamedTuple):
    """A piece of a text, from `start` up to `end`."""

    start: int
    end: int


def passage_id(doc_id: str, number: int) -> str:
    """The id of a document's passage, from 1: `doc#3`."""
    return f"{doc_id}#{number}"


@dataclass(frozen=True)
class Cutter:
    """Cuts documents by the tokens of a model.

    Args:
        model: whose tokeniser counts: a path, a hub id or `pypi:DISTRIBUTION`.
        tokens: what the model reads of a passage at most: its special tokens, the title and the text. A title that
            would take more than half of them counts as half.
        overlap: tokens of a passage that the next one begins with, at most.

    Raises:
        ConfigError: fewer tokens than `LEAST`, or an overlap of half of them or more.
        ModelReferenceError: there is no such model, or it has no `tokenizer.json`.
    """

    model: str
    tokens: int
    overlap: int = 0

    def __post_init__(self) -> None:
        if self.tokens < LEAST or not 0 <= self.overlap < self.tokens / 2:
            raise ConfigError(
                expected=f"passages of at least {LEAST} tokens, that overlap by less than half of them",
                got=f"{self.tokens} tokens, overlap {self.overlap}",
                consequence="nothing was written",
                remedy="give other numbers, as 256 and 32",
            )

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        folder = models.resolve(self.model).path
        found = sorted(locations.listing(folder, f"**/{TOKENISER}"), key=lambda path: (len(path.parts), path))
        if not found:
            raise ModelReferenceError(
                expected=f"a model with a {TOKENISER}",
                got=f"{folder}: none",
                consequence="nothing was written: tokens could not be told from letters",
                remedy="name another model, or one whose fast tokeniser transformers has saved beside it",
            )
        tokenizer = Tokenizer.from_file(str(Path(found[0])))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the tokeniser."""
        return hashlib.sha256(self._tokenizer.to_str().encode()).hexdigest()

    def cut(self, document: Document, metadata: Mapping[str, Any]) -> Iterator[tuple[Document, dict[str, Any]]]:
        """The passages of a document, each with the document's title, and their metadata."""
        for number, span in enumerate(self.spans(document.title, document.text), start=1):
            text = document.text[span.start : span.end]
            told = dict(zip(NAMES, (document.doc_id, number, *span), strict=True))
            yield Document(passage_id(document.doc_id, number), document.title, text), {**metadata, **told}

    def spans(self, title: str, text: str) -> list[Span]:
        """The passages of a text below a title; one, which may be empty, at least."""
        special = int(self._tokenizer.num_special_tokens_to_add(False))
        room = max(self.tokens - special - len(self._places(title)[0]), self.tokens // 2 - special, 1)
        starts, ends = self._places(text)
        if len(starts) <= room:
            return [Span(0, len(text))]
        return _cut(text, starts, ends, room, min(self.overlap, room // 2))

    def _places(self, text: str) -> tuple[array[int], array[int]]:
        """Where each token of a text begins, and where it ends."""
        starts, ends = array("q"), array("q")
        for start, end in pairwise(_blocks(text)):
            offsets = self._tokenizer.encode(text[start:end], add_special_tokens=False).offsets
            starts.extend(start + one for one, other in offsets if other > one)
            ends.extend(start + other for one, other in offsets if other > one)
        return starts, ends


def _blocks(text: str) -> list[int]:
    """Where to cut a text into blocks of about `BLOCK` letters, at white space where there is some nearby."""
    places = [0]
    while len(text) - places[-1] > BLOCK:
        end = places[-1] + BLOCK
        last = None
        for last in _GAP.finditer(text, end - 1000, end):  # noqa: B007 - the last one is meant
            pass
        places.append(last.start() if last else end)
    return [*places, len(text)]


def _cut(text: str, starts: Sequence[int], ends: Sequence[int], room: int, overlap: int) -> list[Span]:
    sentences = list(sentence_ends.ends(text))
    stops, begins = [stop for stop, _ in sentences], [begin for _, begin in sentences]
    found: list[Span] = []
    first = 0
    while True:
        last = min(first + room, len(ends))  # tokens first .. last - 1 fit
        if last == len(ends):
            found.append(_stripped(text, starts[first], len(text)))
            return found
        earliest = ends[first + max(room // 2, overlap + 1) - 1]
        stop = _stop(text, stops, earliest, ends[last - 1])
        end = max(bisect_right(ends, stop), first + 1)  # tokens up to here are in the passage
        found.append(_stripped(text, starts[first], stop))
        first = max(_begin(text, begins, starts, end, overlap), first + 1)


def _stop(text: str, stops: list[int], earliest: int, latest: int) -> int:
    """Where a passage ends: at the last end of a sentence from `earliest` to `latest`, else of a word, else there."""
    place = bisect_right(stops, latest)
    if place and stops[place - 1] >= earliest:
        return stops[place - 1]
    if latest < len(text) and text[latest].isspace():
        return latest
    gaps = [gap.start() for gap in _GAP.finditer(text, earliest, latest)]
    return gaps[-1] if gaps else latest


def _begin(text: str, begins: list[int], starts: Sequence[int], end: int, overlap: int) -> int:
    """The token that the next passage begins with: of the first sentence of the overlap, else of its first word."""
    first = end - overlap
    if first >= end:
        return end
    stop = starts[end] if end < len(starts) else len(text)
    place = bisect_left(begins, starts[first])
    if place < len(begins) and begins[place] < stop:
        return max(bisect_left(starts, begins[place]), first)
    while first < end and starts[first] and not text[starts[first] - 1].isspace():
        first += 1
    return first


def _stripped(text: str, start: int, end: int) -> Span:
    piece = text[start:end]
    return Span(start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip()))
