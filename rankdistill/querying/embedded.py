"""`embedded`: the mixture that needs no model: what makes the best students where labels are hidden."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rankdistill.querying import first_sentences, generator, headings, spans, titles
from rankdistill.querying.corpus import Corpus
from rankdistill.querying.generator import Generator, Written
from rankdistill.records import Document

KIND = "embedded"


class Settings(generator.Settings):
    """None: each part as it is by itself."""


class Embedded:
    """Titles, headings, spans and first sentences, in turn, until a document has its queries.

    Args:
        parts: in the order in which they are asked.
    """

    costly, alone = False, True

    def __init__(self, parts: Sequence[Generator]) -> None:
        self._parts = parts

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """The parts'."""
        return {"kind": KIND, "parts": [dict(part.fingerprint) for part in self._parts]}

    def generate(self, documents: Sequence[Document], count: int) -> Iterator[tuple[int, list[Written]]]:
        """See `Generator.generate`; every query says of which part it is."""
        of_parts = [dict(part.generate(documents, count)) for part in self._parts]
        for number in range(len(documents)):
            yield number, _in_turn([found[number] for found in of_parts], count)


def _in_turn(lists: Sequence[Sequence[Written]], count: int) -> list[Written]:
    """The first of each list, then the second of each, ...; each text once."""
    found: dict[str, Written] = {}
    for place in range(max(map(len, lists), default=0)):
        for one in lists:
            if place < len(one):
                found.setdefault(one[place].text, one[place])
    return list(found.values())[:count]


def load(settings: Settings, corpus: Corpus) -> Embedded:
    """The generator."""
    return Embedded(
        [
            titles.load(titles.Settings(), corpus),
            headings.load(headings.Settings(), corpus),
            spans.load(spans.Settings(), corpus),
            first_sentences.load(first_sentences.Settings(), corpus),
        ]
    )
