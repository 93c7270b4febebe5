"""One endpoint: JSON out, JSON in; attempts that may pass are repeated, the rest end in an error with a remedy."""

from __future__ import annotations

import json
import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Any, NoReturn

from rankdistill import plain_json
from rankdistill._extras import require
from rankdistill.errors import TeacherError, without_secret
from rankdistill.teachers.http.pacing import Clock, Pacer, asked_wait, backoff
from rankdistill.teachers.http.settings import Connection, Prices
from rankdistill.teachers.http.usage import Meter, Usage

if TYPE_CHECKING:
    import httpx

_EXCERPT = 300
LARGEST_ANSWER = 64 * 2**20
"""Bytes of an answer, unpacked: what is longer is none, and would fill the memory."""

_FIRST_RETRIES = 2
"""A server that is not there when a teacher is loaded is more likely a mistake than a mishap."""
_MAY_PASS = {408, 425, 429}
_REMEDIES = {
    400: "look at what the server says, then at the settings `model`, `max_batch` and `extra`",
    404: "check the settings `url` (the whole address, with its path) and `model`",
    413: "lower the setting `max_batch`, or cut long documents",
    422: "look at what the server says: often `max_batch` is too large, or the model does not take such input",
    424: "check that the server runs a reranker",
}


class RefusedError(TeacherError):
    """The server does not take this request; it may take others."""


_OF_THE_REQUEST = {400, 413, 422}
"""Statuses that may be about what was asked, rather than about who asks, or where."""


@dataclass(frozen=True)
class Reply:
    """An answer that was read whole.

    Args:
        status: of HTTP.
        headers: by name, without case.
        text: the body, with the key taken out of it wherever the server repeats it.
    """

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def excerpt(self) -> str:
        """The beginning of the text, on one line."""
        return " ".join(self.text[: 4 * _EXCERPT].split())[:_EXCERPT] or "(empty body)"


class _SlowAnswerError(Exception):
    """An answer began and did not end in time."""


class Stopped(Exception):  # noqa: N818 - no error: another request failed, and this one gave way
    """The run was stopped while this request waited."""


class Client:
    """Posts JSON to the endpoint of `connection`, from any number of threads.

    Args:
        connection: where, and how hard.
        clock: time, replaced in tests.

    Raises:
        ConfigError: the environment variable of the API key is not set.
        MissingDependencyError: httpx is not installed.
    """

    def __init__(self, connection: Connection, clock: Clock = Clock()) -> None:  # noqa: B008 - immutable
        self.connection, self.meter = connection, Meter()
        self._key = connection.api_key()
        self._clock, self._pacer = clock, Pacer(connection.requests_per_minute, clock)
        self._httpx = require("httpx", "a teacher behind HTTP")
        self._client: httpx.Client = self._httpx.Client(
            timeout=connection.timeout,
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            limits=self._httpx.Limits(max_connections=connection.concurrency),
        )
        weakref.finalize(self, self._client.close)

    def spent(self) -> str:
        """The usage so far, and its cost where there are prices, in words."""
        usage, prices = self.meter.usage, self.connection.prices
        cost = f", cost {usage.cost(prices):,.4f}" if prices != Prices() else ""
        return f"{self.connection.endpoint}: {usage}{cost}"

    def post(self, body: Mapping[str, Any], stop: Event) -> Any:
        """The JSON answer to `body`.

        Args:
            body: JSON values; null ones are left out.
            stop: once set, nothing more is sent.

        Raises:
            TeacherError: the server refuses, keeps failing, or answers with something that is no JSON.
            Stopped: `stop` was set before an answer came.
        """
        fields = {name: value for name, value in body.items() if value is not None}
        content = json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace")
        answer = self._send("POST", self.connection.url, content, stop, self.connection.retries)
        self.meter.add(Usage(requests=1))
        return self._parse(answer)

    def get(self, url: str) -> Any | None:
        """The JSON at `url`; None where the server has no such page. Not counted as a request, and soon given up.

        Raises:
            TeacherError: as `post`.
        """
        answer = self._send("GET", url, b"", Event(), min(_FIRST_RETRIES, self.connection.retries), absent=404)
        return None if answer.status == 404 else self._parse(answer)

    def _send(self, method: str, url: str, content: bytes, stop: Event, retries: int, absent: int = 0) -> Reply:
        """The first answer with status 2xx (or `absent`)."""
        attempts = retries + 1
        for attempt in range(1, attempts + 1):
            self._pacer.wait_turn(stop)
            if stop.is_set():
                raise Stopped
            wait = None
            try:
                answer = self._reply(method, url, content)
            except (self._httpx.TimeoutException, _SlowAnswerError) as error:
                problem = f"no answer within {self.connection.timeout:g} s ({type(error).__name__})"
            except self._httpx.RequestError as error:
                problem = without_secret(self._key, f"{error}" or type(error).__name__)
            else:
                if 200 <= answer.status < 300 or answer.status == absent:
                    return answer
                problem = f"HTTP {answer.status}: {answer.excerpt}"
                if answer.status not in _MAY_PASS and answer.status < 500:
                    self._refused(answer.status, problem)
                wait = asked_wait(answer.headers.get("Retry-After"), self._clock)
            if attempt < attempts:
                self._wait(attempt, wait, content, problem, stop)
        self._gave_up(attempts, problem)

    def _reply(self, method: str, url: str, content: bytes) -> Reply:
        """One answer, read piece by piece: too much of it ends the run, too slow a one the attempt."""
        headers = {"Content-Type": "application/json"}
        with self._client.stream(method, url, content=content, headers=headers) as answer:
            body, deadline = bytearray(), time.monotonic() + self.connection.timeout
            for piece in answer.iter_bytes():
                body += piece
                if len(body) > LARGEST_ANSWER:
                    raise TeacherError(
                        expected=f"an answer of at most {LARGEST_ANSWER // 2**20} MiB from {self.connection.endpoint}",
                        got="a longer one",
                        consequence="the rest of it was not read, and the run stopped; what was finished is kept",
                        remedy="check the settings `url` and `api`: something else may answer there",
                    )
                if time.monotonic() > deadline:
                    raise _SlowAnswerError
            text = bytes(body).decode(answer.encoding or "utf-8", "replace")
            return Reply(answer.status_code, answer.headers, without_secret(self._key, text))

    def _wait(self, attempt: int, asked: float | None, content: bytes, problem: str, stop: Event) -> None:
        """Let time pass before the next attempt; what the server asks for holds every thread."""
        connection = self.connection
        if asked is None:
            self._clock.wait(backoff(attempt, connection.first_wait, connection.longest_wait, content), stop)
        elif asked <= connection.longest_wait:
            self._pacer.hold(asked)
        else:
            raise TeacherError(
                expected=f"{connection.endpoint} to ask for a wait of {connection.longest_wait:g} s at most",
                got=f"it asks for {asked:,.0f} s: {problem}",
                consequence="the run stopped; what was finished is kept",
                remedy="run the same command later, raise the setting `longest_wait`, or lower `requests_per_minute`",
            )
        self.meter.add(Usage(retries=1))

    def _refused(self, status: int, problem: str) -> NoReturn:
        variable = self.connection.api_key_variable
        keyed = f"check the key in {variable}" if variable else "name the variable of a key in `api_key_variable`"
        kind = RefusedError if status in _OF_THE_REQUEST else TeacherError
        raise kind(
            expected=f"an answer from {self.connection.endpoint}",
            got=problem,
            consequence="not tried again: it would fail the same way; finished shards are kept",
            remedy=keyed if status in (401, 403) else _REMEDIES.get(status, "check the setting `url`"),
        )

    def _gave_up(self, attempts: int, problem: str) -> NoReturn:
        settings = self.connection
        raise TeacherError(
            expected=f"an answer from {self.connection.endpoint}",
            got=f"{attempts} failed attempt{'s' if attempts > 1 else ''}, the last: {problem}",
            consequence="the run stopped; what was finished is kept",
            remedy="see that the server runs, then run the same command again; or raise the settings `timeout`"
            f" (now {settings.timeout:g} s) and `retries` (now {settings.retries}), or lower `concurrency` (now"
            f" {settings.concurrency}) and `requests_per_minute`",
        )

    def _parse(self, answer: Reply) -> Any:
        try:
            return plain_json.loads(answer.text)
        except ValueError as error:
            raise TeacherError(
                expected=f"JSON from {self.connection.endpoint}",
                got=f"{error}: {answer.excerpt}",
                consequence="the run stopped; what was finished is kept",
                remedy="check the settings `url` and `api`: something else may answer there",
            ) from error
