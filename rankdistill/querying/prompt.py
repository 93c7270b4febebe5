"""Asking a language model for queries of a document, and reading them out of its reply."""

from __future__ import annotations

import re

from pydantic import BaseModel, Field, field_validator

from rankdistill import plain_json
from rankdistill.data.values import without_halves
from rankdistill.records import Document
from rankdistill.teachers.local_chat import Messages
from rankdistill.teachers.replies import is_cut, without_thoughts

SYSTEM = "You write the queries that people type into a search engine."

TEMPLATE = (
    "Document:\n{document}\n\nWrite {count} different queries that this document answers, in its own language: as "
    "people search, short, and without a reference to the document itself. One query a line, and nothing else."
)

LETTERS_A_WORD = 8
"""Of a text without spaces so many letters are taken for a word where it is cut."""

_PLACE = re.compile(r"\{(document|count)\}")
_MARK = re.compile(
    r"^\s*(?:[-*]+(?:\s+|$)|•+\s*|\(?(?P<number>\d{1,2})[.):](?!\d)\s*|(?:query|question)\s*\d*\s*:\s*)", re.IGNORECASE
)
"""Of a list: no minus of `-40 celsius`, and no digits of `2.4 GHz`, `10:30` or `911: who calls`."""

_AROUND = [(one[0], one[1]) for one in ('""', "''", "``", "“”", "„“", "„”", "‘’", "«»", "»«", "**", "__")]
"""Quotes and emphasis, opening and closing."""

_PLEASANTRY = re.compile(r"(?:sure|certainly|of course|okay|ok|here)\b.*[.:!]|.*:", re.IGNORECASE)
"""A line before others that is none of them."""


class Prompt(BaseModel):
    """Settings of how a language model is asked.

    Args:
        system: the system message; empty for none.
        template: the user's message, with {document} and {count}.
        document_words: words of a document that it is shown, from the beginning.
    """

    system: str = SYSTEM
    template: str = TEMPLATE
    document_words: int = Field(default=300, ge=1)

    @field_validator("template")
    @classmethod
    def _has_places(cls, template: str) -> str:
        if "{document}" not in template:
            raise ValueError("the template lacks {document}")
        return template


def messages(prompt: Prompt, document: Document, count: int) -> Messages:
    """What a model is asked about a document; braces inside it stay as they are."""
    texts = {"document": shown(document, prompt.document_words), "count": str(count)}
    asked = _PLACE.sub(lambda place: texts[place.group(1)], prompt.template)
    system = [{"role": "system", "content": prompt.system}] if prompt.system else []
    return [*system, {"role": "user", "content": asked}]


def shown(document: Document, words: int) -> str:
    """The beginning of a document: title, an empty line, and text, cut to so many words."""
    whole = "\n\n".join(part.strip() for part in (document.title, document.text) if part.strip())
    end = len(whole)
    for number, found in enumerate(re.finditer(r"\S+", whole), start=1):
        if number == words:
            end = found.end()
            break
    return whole[: min(end, words * LETTERS_A_WORD)]


def read_reply(reply: str, count: int) -> list[str]:
    """The queries in a reply, `count` at most: its lines without numbers, marks and quotes, or a JSON list of texts.

    What a model thinks aloud first, a line that leads to others ("Here they are:"), and the last line of a reply that
    was cut are none. A number counts as a list's where it is about that of its line: `24: Live Another Day` keeps its.
    """
    text = without_thoughts(reply).strip()
    listed = _as_json(text)
    lines = [line for line in text.splitlines() if line.strip()] if listed is None else listed
    if listed is None and is_cut(reply):
        lines = lines[:-1]
    found = [cleaned for place, line in enumerate(lines, start=1) if (cleaned := _plain(line, place))]
    if len(found) > 1 and _PLEASANTRY.fullmatch(found[0]):
        found = found[1:]
    return list(dict.fromkeys(found))[:count]


def unquoted(text: str) -> str:
    """A text without the quotes and the emphasis around the whole of it; a pair of which one stands within stays."""
    text = text.strip()
    for opening, closing in _AROUND:
        if len(text) > 1 and text.startswith(opening) and text.endswith(closing):
            inner = text.removeprefix(opening).removesuffix(closing)
            bare = inner.strip(opening) if opening == closing else inner
            if opening not in bare and closing not in bare:
                return unquoted(inner)
    return text


def _plain(line: str, place: int) -> str:
    """A line, the `place`-th from 1, without what a list has around it."""
    bare = unquoted(line)
    mark = _MARK.match(bare)
    if mark is not None and (mark["number"] is None or int(mark["number"]) <= place + 1):
        bare = bare[mark.end() :]
    return unquoted(bare)


def _as_json(text: str) -> list[str] | None:
    """The texts of a JSON list, or the only text of an object; None where the reply is neither."""
    if not text.startswith(("[", "{")):
        return None
    try:
        found = plain_json.loads(text)
    except ValueError:
        return None
    if isinstance(found, dict):
        texts = [one for one in found.values() if isinstance(one, str)]
        lists = [one for one in found.values() if isinstance(one, list)]
        found = texts if len(texts) == 1 and not lists else lists[0] if len(lists) == 1 and not texts else None
    return [without_halves(one) for one in found if isinstance(one, str)] if isinstance(found, list) else None
