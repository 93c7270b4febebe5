"""`openai`: a language model behind an OpenAI-compatible chat service, asked for queries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rankdistill.querying.corpus import Corpus
from rankdistill.querying.generator import Written
from rankdistill.querying.prompt import Prompt, messages, read_reply
from rankdistill.records import Document
from rankdistill.teachers.http.chat import Chat, ChatSettings
from rankdistill.teachers.http.pacing import Clock

KIND = "openai"


class Settings(Prompt, ChatSettings):
    """Settings of the kind: those of `ChatSettings` (address, key, pace, retries, prices, model) and of `Prompt`."""


class OpenAi:
    """Asks about one document a request, several requests at once, with the retries and the count of HTTP teachers.

    Args:
        settings: see `Settings`.
        clock: time, replaced in tests.

    Raises:
        ConfigError: the environment variable of the API key is not set.
        MissingDependencyError: httpx is not installed.
    """

    costly, alone = True, True

    def __init__(self, settings: Settings, clock: Clock = Clock()) -> None:  # noqa: B008 - immutable
        self._settings, self._chat = settings, Chat(settings, clock)

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """Address, model, fixed fields of the requests, prompt; never the key."""
        return {
            "kind": KIND,
            **self._chat.fingerprint,
            **self._settings.model_dump(include={"system", "template", "document_words"}),
        }

    def spent(self) -> str:
        """Requests, retries and tokens so far, and what they cost where the settings give prices."""
        return self._chat.spent()

    def generate(self, documents: Sequence[Document], count: int) -> Iterator[tuple[int, list[Written]]]:
        """See `Generator.generate`."""
        asked = [messages(self._settings, document, count) for document in documents]
        for number, reply in self._chat.complete_all(asked):
            yield number, [Written(KIND, text) for text in read_reply(reply, count)]


def load(settings: Settings, corpus: Corpus) -> OpenAi:
    """The generator; nothing is asked yet."""
    return OpenAi(settings)
