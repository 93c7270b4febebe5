"""Asking a language model for queries of a document, and reading them out of its reply."""

from __future__ import annotations

import re

from pydantic import BaseModel, Field, field_validator

from rankdistill import plain_json
from rankdistill.data.values import without_halves
from rankdistill.records import Document
from rankdistill.teachers.local_chat import Messages

SYSTEM = "You write the queries that people type into a search engine."

TEMPLATE = (
    "Document:\n{document}\n\nWrite {count} different queries that this document answers, in its own language: as "
    "people search, short, and without a reference to the document itself. One query a line, and nothing else."
)

LETTERS_A_WORD = 8
"""Of a text without spaces so many letters are taken for a word where it is cut."""

_PLACE = re.compile(r"\{(document|count)\}")
_THOUGHT = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL)
_MARK = re.compile(
    r"^\s*(?:[-*]+(?:\s+|$)|•+\s*|\(?\d{1,2}[.):](?!\d)\s*|(?:query|question)\s*\d*\s*:\s*)", re.IGNORECASE
)
"""Of a list: no minus of `-40 celsius`, and no digits of `2.4 GHz`, `10:30` or `911: who calls`."""

_AROUND = "\"'`“”„«»*_ \t"


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

    What a model thinks aloud first (`<think>`) and a line that ends in a colon before others are none.
    """
    text = _THOUGHT.sub("", reply).strip()
    listed = _as_json(text)
    lines = text.splitlines() if listed is None else listed
    found = [cleaned for line in lines if (cleaned := _MARK.sub("", line.strip(_AROUND)).strip(_AROUND))]
    if len(found) > 1 and found[0].endswith(":"):
        found = found[1:]
    return list(dict.fromkeys(found))[:count]


def _as_json(text: str) -> list[str] | None:
    if not text.startswith("["):
        return None
    try:
        found = plain_json.loads(text)
    except ValueError:
        return None
    return [without_halves(one) for one in found if isinstance(one, str)] if isinstance(found, list) else None
