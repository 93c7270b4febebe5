"""`openai`: a language model behind an OpenAI-compatible chat service, asked for rewrites."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urldefrag, urlsplit

from rankdistill.errors import ConfigError
from rankdistill.rewriting.prompt import Prompt, messages, read_rewrite
from rankdistill.sessions.schema import Asked
from rankdistill.teachers.http.chat import Chat, ChatSettings
from rankdistill.teachers.http.client import Client
from rankdistill.teachers.http.pacing import Clock
from rankdistill.teachers.http.settings import Connection

KIND = "openai"

PATH = "/chat/completions"


class Settings(Prompt, ChatSettings):
    """Settings of the kind: those of `ChatSettings` (address, key, pace, retries, prices, model) and of `Prompt`."""


class OpenAi:
    """Asks about one question a request, several requests at once, with the retries and the count of HTTP teachers.

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
        self.shortened = 0

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """Address, model, fixed fields of the requests, prompt; never the key."""
        return {"kind": KIND, **self._chat.fingerprint, **self._settings.model_dump(include={*Prompt.model_fields})}

    def spent(self) -> str:
        """Requests, retries and tokens so far, and what they cost where the settings give prices."""
        return self._chat.spent()

    def rewrite(self, asked: Sequence[Asked]) -> Iterator[tuple[int, str]]:
        """See `Rewriter.rewrite`."""
        told = [messages(self._settings, one.said) for one in asked]
        self.shortened += sum(short for _, short in told)
        for number, reply in self._chat.complete_all([message for message, _ in told]):
            yield number, read_rewrite(reply)


def load(settings: Settings) -> OpenAi:
    """The rewriter; nothing is asked yet."""
    return OpenAi(settings)


def of_address(given: str, clock: Clock = Clock()) -> dict[str, Any]:  # noqa: B008 - immutable
    """The settings that an address means: `http://HOST/v1` or the whole of it, perhaps with `#MODEL`.

    Without a model the server is asked which it has.

    Raises:
        ConfigError: it has none, or several, or does not say.
        TeacherError: it cannot be reached, or refuses.
    """
    address, model = urldefrag(given)
    parts = urlsplit(address)
    base = parts.path.removesuffix(PATH).rstrip("/")
    url = parts._replace(path=base + PATH).geturl()
    if model:
        return {"url": url, "model": model}
    answer = Client(Connection(url=url), clock).get(parts._replace(path=f"{base}/models").geturl())
    rows = answer.get("data") if isinstance(answer, dict) else None
    names = [row["id"] for row in rows or () if isinstance(row, dict) and isinstance(row.get("id"), str)]
    if len(names) != 1:
        got = ", ".join(names[:10]) if names else "a server that names none"
        raise ConfigError(
            expected=f"one model at {url}, or its name in the address",
            got=got,
            consequence="nothing was asked",
            remedy=f"name it: {address}#{names[0] if names else 'MODEL'}; a YAML file also takes a key, prices and "
            "a pace (docs/sessions.md)",
        )
    return {"url": url, "model": names[0]}
