"""`headings`: what a document's sections are called, and the questions that it answers itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field

from rankdistill.querying import generator
from rankdistill.querying.corpus import Corpus, words_of
from rankdistill.querying.generator import Written
from rankdistill.records import Document

KIND = "headings"

_MARKDOWN = re.compile(r"^\s{0,3}#{1,6}\s+(.+?)\s*#*\s*$", re.MULTILINE)
_HTML = re.compile(r"<h[1-6][^>]*>(.*?)</h[1-6]>", re.IGNORECASE | re.DOTALL)
_UNDERLINED = re.compile(r"^(\S[^\n]*)\n\s*([-=~^])\2{2,}\s*$", re.MULTILINE)
_ALONE = re.compile(r"(?:\A|\n\s*\n)[ \t]*(\S[^\n]{2,80}[^\s.,;:!])[ \t]*\n\s*\n")
"""A short line between empty ones that ends like no sentence."""
_QUESTION = re.compile(r"(?:\A|(?<=[.!?:])\s+|\n\s*)([^\W\d_][^.!?\n]{8,160}\?)")
_TAG = re.compile(r"<[^>]+>")


class Settings(generator.Settings):
    """Settings of the kind.

    Args:
        read: characters of a text that are looked at, from its beginning.
    """

    read: int = Field(default=20_000, ge=1)


class Headings:
    """Headings in Markdown, HTML, underlined or alone on a line, and questions, in their order.

    A heading that shares no word with the document's title has it in front: "Symptoms" is no query, "Asthma: Symptoms"
    is one.

    Args:
        settings: see `Settings`.
    """

    costly, alone = False, True

    def __init__(self, settings: Settings) -> None:
        self._read = settings.read

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """Kind, and how far is read."""
        return {"kind": KIND, "read": self._read}

    def generate(self, documents: Sequence[Document], count: int) -> Iterator[tuple[int, list[Written]]]:
        """See `Generator.generate`."""
        for number, document in enumerate(documents):
            yield number, [Written(KIND, text) for text in self._of(document)[:count]]

    def _of(self, document: Document) -> list[str]:
        text, title = document.text[: self._read], " ".join(document.title.split())
        found: dict[int, str] = {}
        for form in (_QUESTION, _ALONE, _UNDERLINED, _HTML, _MARKDOWN):
            for match in form.finditer(text):
                found[match.start(1)] = " ".join(_TAG.sub(" ", match.group(1)).split())
        headings = dict.fromkeys(found[start] for start in sorted(found))
        return [_titled(title, heading) for heading in headings if words_of(heading)]


def _titled(title: str, heading: str) -> str:
    return heading if not title or {*words_of(title)} & {*words_of(heading)} else f"{title}: {heading}"


def load(settings: Settings, corpus: Corpus) -> Headings:
    """The generator."""
    return Headings(settings)
