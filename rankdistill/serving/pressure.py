"""Whether HTTP itself is too slow for what comes, and what is refused then.

The queue of a model knows how long its texts wait, but not how long requests wait for the event loop; with a model
that takes no time, that is where they wait. The loop is late then, and what was read but not answered, over what is
answered a second, is how long a new request will wait (Little's law). One that would wait for half of the limit is
refused before anything is made of it, for a fraction of what an answer costs.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from uvicorn.server import ServerState

from rankdistill.serving.answers import refusal_answer
from rankdistill.serving.exchange import Interface
from rankdistill.serving.refusals import OverloadedError

BEAT_SECONDS = 0.05

LATE_SECONDS = 0.1
"""A loop that is later than this has more to do than it can."""

FORGETS = 0.9
"""What is left, a beat later, of how late the loop was."""

WINDOW = 20
"""Beats over which answers are counted."""

FEWEST = 32
"""Requests that are never refused here: so few say nothing of how many are answered a second."""


class Pressure:
    """How late the event loop is.

    Args:
        wait: seconds that a request may wait.
        state: of the server: its tasks and how many requests it answered.
        refused: told of each request that is refused.
    """

    def __init__(self, wait: float, state: ServerState, refused: Callable[[], object] = lambda: None) -> None:
        self._wait, self._state, self._refused = wait, state, refused
        self._late = 0.0
        self._rate = float("inf")
        self._answered: deque[tuple[float, int]] = deque(maxlen=WINDOW)
        self._said = {interface: _said(interface, 1) for interface in ("openai", "cohere", "tei")}

    @property
    def is_too_high(self) -> bool:
        """Whether a request that comes now would wait too long."""
        waiting = len(self._state.tasks)
        return self._late > LATE_SECONDS and waiting >= FEWEST and waiting > self._rate * self._wait / 2

    def refusal(self, path: bytes) -> bytes:
        """The answer to a request that is refused, as bytes."""
        self._refused()
        return self._said["openai" if path.startswith(b"/v1/") else "cohere" if path.startswith(b"/v2/") else "tei"]

    def beat(self, now: float, late: float) -> None:
        """Note how late the loop is, in seconds, at `now`."""
        self._late = max(late, self._late * FORGETS)
        answered = self._answered
        answered.append((now, self._state.total_requests))
        (first, before), (last, after) = answered[0], answered[-1]
        if last > first:
            self._rate = (after - before) / (last - first)

    async def watch(self) -> None:
        """Beat, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + BEAT_SECONDS
            await asyncio.sleep(BEAT_SECONDS)
            now = loop.time()
            self.beat(now, now - due)


def _said(interface: Interface, retry_after: int) -> bytes:
    refusal = OverloadedError(
        retry_after=retry_after,
        expected="fewer requests than are answered in time",
        got="more",
        consequence="the request was not begun",
        remedy="send it again later, or start more workers",
    )
    answer = refusal_answer(refusal, interface)
    headers = b"".join(b"%s: %s\r\n" % header for header in answer.headers)
    return b"HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%s\r\n%s" % (
        len(answer.body),
        headers,
        answer.body,
    )
