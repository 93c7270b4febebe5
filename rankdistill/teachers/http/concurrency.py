"""Many requests at once; the first failure stops the rest."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
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
    waits of the others, and begins no further request. The answers of those that are under way come before it.

    Args:
        ask: gives one answer; called from several threads.
        requests: what to ask.
        threads: requests under way at once.
    """
    stop = Event()
    waiting: dict[Future[Answered], int] = {}
    with ThreadPoolExecutor(threads, thread_name_prefix="http-teacher") as pool:
        try:
            for number, request in enumerate(requests):
                waiting[pool.submit(ask, request, stop)] = number
                if len(waiting) < threads:
                    continue
                yield from _finished(waiting)
            while waiting:
                yield from _finished(waiting)
        except (Exception, KeyboardInterrupt):
            stop.set()
            yield from _good(waiting, wait(waiting).done)
            raise
        finally:
            stop.set()


def _finished(waiting: dict[Future[Answered], int]) -> Iterator[tuple[int, Answered]]:
    """Wait for one answer at least, and take out all that came; the first error comes behind them."""
    done = wait(waiting, return_when=FIRST_COMPLETED).done
    errors = [future for future in sorted(done, key=lambda future: waiting[future]) if future.exception() is not None]
    yield from _good(waiting, done)
    for future in errors:
        del waiting[future]
    for future in errors:
        future.result()


def _good(waiting: dict[Future[Answered], int], done: Collection[Future[Answered]]) -> Iterator[tuple[int, Answered]]:
    """The answers among what is done, taken out."""
    for future in sorted(done, key=lambda future: waiting[future]):
        if future.exception() is None:
            yield waiting.pop(future), future.result()
