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

_AROUND = [
    ("``", "''"),
    *((one[0], one[1]) for one in ('""', "''", "``", "“”", "„“", "„”", "‘’", "«»", "»«", "**")),
]
"""Quotes and emphasis, opening and closing."""

_EMPHASISED = re.compile(r"^\s*(\*{1,3})(?=\S)(.+?)(?<=\S)\1(?!\w)")
_FENCED = re.compile(r"```[^\n`]*\n(.*?)(?:\n\s*```|\Z)", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"(?=\s*[,\]])')
_ASKED_FOR = re.compile(r"quer(?:y|ies)|questions?|re-?writ(?:e|es|ten)", re.IGNORECASE)

_PLEASANTRY = re.compile(
    r"(?:(?:sure|certainly|of course|okay|ok)\b[,.!:].*|here(?:'s| is| are| you go)\b.*[.:!]|.*:)", re.IGNORECASE
)
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
    text = found[1].strip() if (found := _FENCED.search(text)) else text
    listed = _as_json(text, is_cut(reply))
    if listed is not None:
        return list(dict.fromkeys(plain for one in listed if (plain := unquoted(one))))[:count]
    lines = [line for line in text.splitlines() if any(letter.isalnum() for letter in line)]
    if is_cut(reply):
        lines = lines[:-1]
    bare = [_EMPHASISED.sub(r"\2", line) for line in lines]
    marks = [_MARK.match(line) for line in map(unquoted, bare)]
    counts = [int(mark["number"]) for mark in marks if mark is not None and mark["number"]]
    in_order = len(counts) > 1 and counts == list(range(counts[0], counts[0] + len(counts)))
    if len(lines) > 1 and marks[0] is None and _PLEASANTRY.fullmatch(unquoted(bare[0])):
        bare, marks = bare[1:], marks[1:]
    queries = []
    for place, (line, mark) in enumerate(zip(map(unquoted, bare), marks, strict=True), start=1):
        is_mark = mark is not None and (mark["number"] is None or in_order or int(mark["number"]) <= place + 1)
        queries.append(unquoted(line[mark.end() :] if mark is not None and is_mark else line))
    return list(dict.fromkeys(query for query in queries if query))[:count]


def unquoted(text: str) -> str:
    """A text without the quotes and the emphasis around the whole of it; those of its first and last words stay."""
    text = text.strip()
    for opening, closing in _AROUND:
        if not text.startswith(opening):
            continue
        ending = text.rstrip(".,;") if text.rstrip(".,;").endswith(closing) else text
        inner = ending[len(opening) : len(ending) - len(closing)] if ending.endswith(closing) else None
        if inner and not _ends_within(inner, opening, closing):
            return unquoted(inner)
        if closing not in text[len(opening) :]:
            return unquoted(text[len(opening) :])
    return text


def _ends_within(inner: str, opening: str, closing: str) -> bool:
    """Whether what a mark before `inner` opens is closed in it already, as in `Emma" or "Persuasion`."""
    for found in re.finditer(re.escape(closing), inner):
        before, after = inner[: found.start()], inner[found.end() :]
        if before and not before[-1].isspace() and not (after and after[0].isalnum()):
            return True
        if opening == closing:  # the first opens a pair of its own
            return False
    return False


def _as_json(text: str, cut: bool = False) -> list[str] | None:
    """The texts of a JSON list, or of the key of an object that holds what was asked for; None where there are none.

    Of a list that was cut those that are whole.
    """
    if not text.startswith(("[", "{")):
        return None
    try:
        found = plain_json.loads(text)
    except ValueError:
        whole = _STRING.findall(text) if cut and text.startswith("[") else []
        return [without_halves(plain_json.loads(one)) for one in whole] or None
    if isinstance(found, dict):
        named = [one for key, one in found.items() if _ASKED_FOR.search(str(key))] or list(found.values())
        found = named[0] if len(named) == 1 else None
    several = found if isinstance(found, list) else [found]
    texts = [next(iter(one.values())) if isinstance(one, dict) and len(one) == 1 else one for one in several]
    return [without_halves(one) for one in texts if isinstance(one, str)] or None
