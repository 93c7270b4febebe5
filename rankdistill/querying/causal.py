"""`causal`: a causal language model on this machine, asked for queries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from rankdistill.querying import generator
from rankdistill.querying.corpus import Corpus
from rankdistill.querying.generator import Written
from rankdistill.querying.prompt import Prompt, messages, read_reply
from rankdistill.records import Document
from rankdistill.teachers.local_chat import LocalChat, Messages

KIND = "causal"


class Settings(Prompt, generator.Settings):
    """Settings of the kind, besides those of `Prompt`.

    Args:
        model: a model reference.
        dtype: of weights and computation.
        max_length: tokens of the messages at most; None takes what the model's context leaves.
        max_new_tokens: tokens of a reply at most.
        chat_template: given to the model's chat template; the default keeps Qwen3-like models from thinking aloud.
        batch_size: documents at once.
    """

    model: str
    dtype: Literal["float32", "bfloat16"] = "float32"
    max_length: int | None = Field(default=None, ge=8)
    max_new_tokens: int = Field(default=128, ge=1)
    chat_template: Mapping[str, Any] = Field(default_factory=lambda: {"enable_thinking": False})
    batch_size: int = Field(default=8, ge=1)


class Causal:
    """Decodes greedily; documents of similar length are asked about together.

    Args:
        settings: see `Settings`.

    Raises:
        ModelReferenceError: no causal language model.
    """

    costly, alone = True, False

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._chat = LocalChat(
            settings.model,
            settings.dtype,
            settings.max_length,
            settings.max_new_tokens,
            settings.chat_template,
            settings.batch_size,
            "lower the setting `document_words`, or raise `max_length`",
        )

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """Weights, prompt, lengths."""
        return {
            "kind": KIND,
            **self._chat.fingerprint,
            **self._settings.model_dump(include={"system", "template", "document_words"}),
        }

    def generate(self, documents: Sequence[Document], count: int) -> Iterator[tuple[int, list[Written]]]:
        """See `Generator.generate`."""
        asked = [self._fitting(document, count) for document in documents]
        order = sorted(range(len(asked)), key=lambda place: -len(asked[place][-1]["content"]))
        for number, reply in self._chat.complete_all([asked[place] for place in order]):
            yield order[number], [Written(KIND, text) for text in read_reply(reply, count)]

    def _fitting(self, document: Document, count: int) -> Messages:
        """The messages with as many of the document's first words as the model reads.

        A prompt that leaves no room for one word is given as it is: asking with it is an error.
        """
        whole = messages(self._settings, document, count)
        fits, too_many = 0, self._settings.document_words
        if self._chat.fits(whole):
            return whole
        found = whole
        while too_many - fits > 1:
            middle = (fits + too_many) // 2
            shorter = messages(self._settings.model_copy(update={"document_words": middle}), document, count)
            if self._chat.fits(shorter):
                fits, found = middle, shorter
            else:
                too_many = middle
        return found


def load(settings: Settings, corpus: Corpus) -> Causal:
    """The generator; raises ModelReferenceError unless the model is a causal language model."""
    return Causal(settings)
