"""One interface to both clients, so that what holds of one is asked of the other too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import rankdistill
from rankdistill.teachers.http.pacing import Clock


class Waits:
    """The seconds that a client let pass: none really pass."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def clock(self) -> Clock:
        """A clock whose waits are kept here."""
        return Clock(now=lambda: sum(self.seconds), wait=lambda seconds, stop: self.seconds.append(seconds))


class Blocking:
    """Calls of a client by name, whichever it is.

    Args:
        call: `(name, arguments, named arguments)` -> result.
        waits: the seconds it let pass.
    """

    def __init__(self, call: Callable[..., Any], waits: Waits) -> None:
        self._call, self.waits = call, waits

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *values, **named: self._call(name, *values, **named)


@contextmanager
def of(kind: str, url: str, **settings: Any) -> Iterator[Blocking]:
    """A `sync` or an `async` client of the server at `url`, whose waits take no time."""
    waits = Waits()
    if kind == "sync":
        with rankdistill.Client(url, **settings) as client:
            object.__setattr__(client._connection.policy, "clock", waits.clock())
            yield Blocking(lambda name, *values, **named: getattr(client, name)(*values, **named), waits)
        return
    with asyncio.Runner() as runner:
        awaited = rankdistill.AsyncClient(url, **settings)

        async def sleep(seconds: float) -> None:
            waits.seconds.append(seconds)

        awaited._sleep = sleep
        object.__setattr__(awaited._connection.policy, "clock", waits.clock())

        async def run(name: str, *values: Any, **named: Any) -> Any:
            return await getattr(awaited, name)(*values, **named)

        try:
            yield Blocking(lambda name, *values, **named: runner.run(run(name, *values, **named)), waits)
        finally:
            runner.run(awaited.close())
