"""Many requests at once; the first failure stops the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from threading import Event
from typing import TypeVar

Asked = TypeVar("Asked")
Answered = TypeVar("Answered")


def run_all(
    ask: Callable[[Asked, Event], Answered], requests: Sequence[Asked], threads: int
) -> Iterator[tuple[int, Answered]]:
    """(number of the request, answer), in the order in which the answers come.

    The first error is raised here, and so is an interrupt; either sets the event that `ask` is given, which ends the
    waits of the others, and begins no further request.

    Args:
        ask: gives one answer; called from several threads.
        requests: what to ask.
        threads: requests under way at once.
    """
    stop = Event()
    with ThreadPoolExecutor(threads, thread_name_prefix="http-teacher") as pool:
        try:
            waiting: dict[Future[Answered], int] = {}
            for number, request in enumerate(requests):
                waiting[pool.submit(ask, request, stop)] = number
                if len(waiting) < threads:
                    continue
                yield from _finished(waiting)
            while waiting:
                yield from _finished(waiting)
        finally:
            stop.set()


def _finished(waiting: dict[Future[Answered], int]) -> list[tuple[int, Answered]]:
    """Wait for one answer at least, and take out all that came."""
    done = wait(waiting, return_when=FIRST_COMPLETED).done
    return [(waiting.pop(future), future.result()) for future in sorted(done, key=lambda future: waiting[future])]
