"""`template`: a rewrite out of what the sessions say of a question, such as its topic; no model is needed.

`{topic}: {question}` makes "Pride and Prejudice: who wrote it?" of "who wrote it?". Those who publish conversations
often say what a question is about where nobody has rewritten it: a teacher for many more conversations than have
rewrites. A topic is known of questions that were judged, not of those to come: such rewrites are for training.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import field_validator

from rankdistill.errors import DataError
from rankdistill.querying import generator
from rankdistill.sessions.schema import Asked

KIND = "template"
QUESTION = "question"
_FIELD = re.compile(r"\{(\w+)\}")


class Settings(generator.Settings):
    """Settings of the kind.

    Args:
        template: the rewrite, with {question} and at least one field of the questions' metadata, as {topic}; other
            braces stay as they are.
    """

    template: str = "{topic}: {question}"

    @field_validator("template")
    @classmethod
    def _says_more(cls, template: str) -> str:
        fields = set(_FIELD.findall(template))
        if QUESTION not in fields or len(fields) < 2:
            raise ValueError("the template needs {question} and a field of the metadata, as {topic}")
        return template


class Template:
    """Fills the template; a question whose metadata lacks a field, or has no word there, gets no rewrite.

    Args:
        settings: see `Settings`.
    """

    costly, alone, shortened = False, True, 0

    def __init__(self, settings: Settings) -> None:
        self._template = settings.template
        self._fields = sorted({*_FIELD.findall(settings.template)} - {QUESTION})

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """The template."""
        return {"kind": KIND, "template": self._template}

    def rewrite(self, asked: Sequence[Asked]) -> Iterator[tuple[int, str]]:
        """See `Rewriter.rewrite`; DataError where no question has all fields."""
        made = [self._filled(one) for one in asked]
        if asked and not any(made):
            known = sorted({field for one in asked for field in one.turn.metadata})
            raise DataError(
                expected=f"questions with {', '.join(self._fields)} in their metadata",
                got=f"none of {len(asked):,}; what their metadata has: {', '.join(known) or 'nothing'}",
                consequence="nothing was written",
                remedy="name fields that these sessions have in the template, or take another rewriter",
            )
        yield from enumerate(made)

    def _filled(self, one: Asked) -> str:
        texts = {QUESTION: one.turn.text}
        for field in self._fields:
            value = one.turn.metadata.get(field)
            texts[field] = " ".join(str(value).split()) if isinstance(value, str | int | float) else ""
        return _FIELD.sub(lambda place: texts[place.group(1)], self._template) if all(texts.values()) else ""


def load(settings: Settings) -> Template:
    """The rewriter."""
    return Template(settings)
