"""`embedded`: the mixture that needs no model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

from pydantic import Field, field_validator

from rankdistill.querying import first_sentences, generator, headings, keywords, spans, titles
from rankdistill.querying.corpus import Corpus
from rankdistill.querying.generator import Generator, Written
from rankdistill.records import Document

KIND = "embedded"


PARTS: Mapping[str, ModuleType] = {
    module.KIND: module for module in (titles, headings, spans, first_sentences, keywords)
}
"""What a mixture may be made of: the kinds that need no model."""


class Settings(generator.Settings):
    """Settings of the kind.

    Args:
        parts: kinds, in the order in which they are asked; each is as it is by itself.
    """

    parts: tuple[str, ...] = Field(default=("titles", "headings", "first_sentences", "spans"), min_length=1)

    @field_validator("parts")
    @classmethod
    def _are_known(cls, parts: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [part for part in parts if part not in PARTS]:
            raise ValueError(f"{unknown[0]!r} is none of {', '.join(PARTS)}")
        if len({*parts}) < len(parts):
            raise ValueError("each part once")
        return parts


class Embedded:
    """What each part makes, in turn, until a document has its queries.

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
    modules = [PARTS[part] for part in settings.parts]
    return Embedded([module.load(module.Settings(), corpus) for module in modules])
