"""When a request may begin: a rate limit shared by all threads, waits between attempts, and a clock to test them by."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from threading import Event, Lock

_SECONDS = re.compile(r"\d+(\.\d+)?")


def _wait(seconds: float, stop: Event) -> None:
    stop.wait(seconds)


@dataclass(frozen=True)
class Clock:
    """Time, as tests may replace it.

    Args:
        now: seconds that only grow.
        wait: lets seconds pass, fewer if the event is set.
        date: seconds since 1970, for dates that servers name.
    """

    now: Callable[[], float] = time.monotonic
    wait: Callable[[float, Event], None] = _wait
    date: Callable[[], float] = time.time


class Pacer:
    """Lets requests begin evenly spaced, `requests_per_minute` at most; a server may hold all of them for a while.

    Args:
        requests_per_minute: None for no limit.
        clock: what time it is.
    """

    def __init__(self, requests_per_minute: float | None, clock: Clock) -> None:
        self._interval = 60 / requests_per_minute if requests_per_minute else 0.0
        self._clock, self._lock = clock, Lock()
        self._next = clock.now()

    def wait_turn(self, stop: Event) -> None:
        """Return when this request may begin, or at once if `stop` is set."""
        with self._lock:
            turn = max(self._next, self._clock.now())
            self._next = turn + self._interval
        wait = turn - self._clock.now()
        if wait > 0:
            self._clock.wait(wait, stop)

    def hold(self, seconds: float) -> None:
        """Let no further request begin for so long."""
        with self._lock:
            self._next = max(self._next, self._clock.now() + seconds)


def backoff(attempt: int, first: float, longest: float, token: bytes) -> float:
    """Seconds before the next attempt: exponential, with a jitter that spreads requests but is the same each run.

    Args:
        attempt: failed attempts so far, from 1.
        first: the wait after the first one.
        longest: no wait is longer.
        token: what tells this request from others; its hash takes the place of a random number.

    Returns:
        Between half and all of `min(longest, first * 2 ** (attempt - 1))`.
    """
    fraction = int.from_bytes(blake2b(token + bytes([attempt % 256]), digest_size=4).digest()) / 2**32
    return min(longest, first * 2.0 ** min(attempt - 1, 62)) * (0.5 + fraction / 2)


def asked_wait(header: str | None, clock: Clock) -> float | None:
    """Seconds that a `Retry-After` header asks for (a number or a date); None without a readable one."""
    if header is None:
        return None
    if _SECONDS.fullmatch(header.strip()):
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - clock.date())
    except ValueError:
        return None
