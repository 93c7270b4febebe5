"""A language model behind an OpenAI-compatible chat API, asked for text: messages in, the reply out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from threading import Event
from typing import Any

from pydantic import Field

from rankdistill.data.values import without_halves
from rankdistill.errors import TeacherError
from rankdistill.teachers.http.answers import count_in, unreadable
from rankdistill.teachers.http.client import Client, RefusedError
from rankdistill.teachers.http.concurrency import run_all
from rankdistill.teachers.http.pacing import Clock
from rankdistill.teachers.http.refusals import UnansweredError, too_many
from rankdistill.teachers.http.settings import Connection
from rankdistill.teachers.http.usage import Usage
from rankdistill.teachers.replies import Reply

Messages = Sequence[Mapping[str, str]]
"""Messages with `role` and `content`, the oldest first."""


class ChatSettings(Connection):
    """Settings of a chat endpoint: a connection whose `url` ends with `/chat/completions`, and how to reply.

    Args:
        model: the model's name as the server knows it.
        max_tokens: tokens of a reply at most.
        extra: further fields of each request; a null removes a field of ours.
    """

    model: str
    max_tokens: int = Field(default=512, ge=1)
    extra: Mapping[str, Any] = Field(default_factory=dict)


class Chat:
    """Asks without sampling (temperature 0), with the retries, rate limit and count of every HTTP teacher.

    Args:
        settings: what is asked, where, and how hard.
        clock: time, replaced in tests.

    Raises:
        ConfigError: the environment variable of the API key is not set.
        MissingDependencyError: httpx is not installed.
    """

    def __init__(self, settings: ChatSettings, clock: Clock = Clock()) -> None:  # noqa: B008 - immutable
        self.settings, self._client = settings, Client(settings, clock)
        self._cut: list[None] = []  # an element a reply that was cut: threads append without a lock

    @property
    def usage(self) -> Usage:
        """Requests, retries and tokens so far."""
        return self._client.meter.usage

    def spent(self) -> str:
        """The usage so far, its cost where the settings give prices, and how many replies were cut, in words."""
        most = self._fixed.get("max_tokens", "its most")
        cut = f"; {len(self._cut):,} replies were cut at {most} tokens: raise `max_tokens`" if self._cut else ""
        return f"{self._client.spent()}{cut}"

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """What a reply depends on besides the messages: address, model, fixed fields of the requests."""
        return {"endpoint": self.settings.endpoint, "request": self._fixed}

    def complete(self, messages: Messages) -> Reply:
        """The reply to `messages`; cut where the server says so (`finish_reason` is `length`).

        Raises:
            TeacherError: the server refuses, keeps failing, or gives no text.
        """
        return self._ask(messages, Event())

    def complete_all(self, conversations: Sequence[Messages]) -> Iterator[tuple[int, Reply]]:
        """(number of the conversation, reply), `settings.concurrency` at once, in the order in which replies come.

        A conversation that the server refuses, or gives no text for, keeps no other from being asked about.

        Raises:
            UnansweredError: some have no reply; behind the replies to the others.
            TeacherError: the server keeps failing, takes no request of ours, or refuses most.
        """
        refused: dict[int, TeacherError] = {}
        answered = 0
        for number, found in run_all(self._attempt, conversations, self.settings.concurrency):
            if isinstance(found, TeacherError):
                refused[number] = found
                if too_many(len(refused), answered):
                    raise UnansweredError(dict(sorted(refused.items())), len(conversations))
            else:
                answered += 1
                yield number, found
        if refused:
            raise UnansweredError(dict(sorted(refused.items())), len(conversations))

    def _attempt(self, messages: Messages, stop: Event) -> Reply | TeacherError:
        """The reply, or the error about what was asked; errors about the server are raised."""
        try:
            return self._ask(messages, stop)
        except RefusedError as error:
            return error

    @property
    def _fixed(self) -> dict[str, Any]:
        settings = self.settings
        return {"model": settings.model, "max_tokens": settings.max_tokens, "temperature": 0} | dict(settings.extra)

    def _ask(self, messages: Messages, stop: Event) -> Reply:
        answer = self._client.post({"messages": [dict(message) for message in messages]} | self._fixed, stop)
        self._client.meter.add(Usage(tokens=count_in(answer, "usage", "total_tokens")))
        try:
            choice = answer["choices"][0]
            text, is_cut = choice["message"]["content"], choice.get("finish_reason") == "length"
        except (KeyError, IndexError, TypeError) as error:
            raise _no_reply("`choices[0].message.content`", f"none ({error!r})", answer) from error
        if not isinstance(text, str):
            raise _no_reply("a text as `choices[0].message.content`", repr(text), answer)
        if is_cut:
            self._cut.append(None)
        return Reply.of(without_halves(text), is_cut)  # a reply that is cut may end within an emoji


def _no_reply(expected: str, got: str, answer: Any) -> RefusedError:
    found = unreadable(expected, got, answer)
    return RefusedError(
        expected=found.expected,
        got=found.got,
        consequence="there is no reply to these messages",
        remedy="see what the server logs of them; some refuse what their filters find, or reply nothing",
    )
