"""Asking a language model for a rewrite, and reading it out of the reply."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import BaseModel, Field, field_validator

from rankdistill.querying.prompt import LETTERS_A_WORD, read_reply, unquoted
from rankdistill.teachers.local_chat import Messages
from rankdistill.teachers.replies import is_cut

SYSTEM = "You make questions out of conversations understandable on their own, for a search engine."

TEMPLATE = (
    "Conversation:\n{conversation}\n\nThe user's last question:\n{question}\n\nSay this question again so that it can "
    "be understood without the conversation: put in what its words refer to, change nothing else of what it asks, and "
    "keep its language. Where it needs nothing, repeat it. Reply with the question alone."
)

SPEAKERS = ("User", "Assistant")

_PLACE = re.compile(r"\{(conversation|question)\}")
_LABEL = re.compile(
    r"^\s*(?:(?:re-?writ(?:e|ten)|stand-?alone|rephrased)(?: (?:question|query|version))?|user|assistant|answer)"
    r"\s*:\s*",
    re.IGNORECASE,
)


class Prompt(BaseModel):
    """Settings of how a language model is asked.

    Args:
        system: the system message; empty for none.
        template: the user's message, with {question} and {conversation}.
        conversation_words: words of the conversation that it is shown; the oldest turns beyond are left out, whole.
    """

    system: str = SYSTEM
    template: str = TEMPLATE
    conversation_words: int = Field(default=800, ge=1)

    @field_validator("template")
    @classmethod
    def _has_places(cls, template: str) -> str:
        if missing := [place for place in ("{question}", "{conversation}") if place not in template]:
            raise ValueError(f"the template lacks {' and '.join(missing)}")
        return template


def messages(prompt: Prompt, said: Sequence[str], most: int | None = None) -> tuple[Messages, bool]:
    """What a model is asked about the last of `said`, and whether the oldest turns were left out.

    Args:
        prompt: how.
        said: question, answer, question, ..., as `Asked.said`; braces in them stay as they are.
        most: turns before the question that are shown; None: all that `conversation_words` allows.
    """
    before = [f"{SPEAKERS[place % 2]}: {text}" for place, text in enumerate(said[:-1]) if text.strip()]
    kept, words = list[str](), 0
    for line in reversed(before):
        words += _words(line)
        if words > prompt.conversation_words or len(kept) == most:
            break
        kept.insert(0, line)
    texts = {"conversation": "\n".join(kept), "question": said[-1]}
    asked = _PLACE.sub(lambda place: texts[place.group(1)], prompt.template)
    system = [{"role": "system", "content": prompt.system}] if prompt.system else []
    return [*system, {"role": "user", "content": asked}], len(kept) < len(before)


def read_rewrite(reply: str) -> str:
    """The rewrite in a reply: its first line with words, without thinking aloud, marks, quotes and labels.

    Of a reply that was cut there is none: it is a piece of a question, or of thoughts.
    """
    found = [] if is_cut(reply) else read_reply(reply, 1)
    return unquoted(_LABEL.sub("", found[0])) if found else ""


def _words(text: str) -> int:
    return max(len(text.split()), len(text) // LETTERS_A_WORD)
