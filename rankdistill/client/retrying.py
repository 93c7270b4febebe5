"""When a request is sent again: after 429, 502, 503, 504 and broken connections, never after a refusal."""

from __future__ import annotations

from dataclasses import dataclass, field

from rankdistill.client import failures
from rankdistill.client.calls import Answer, Call
from rankdistill.teachers.http.pacing import Clock, asked_wait, backoff

MAY_PASS = (429, 502, 503, 504)
"""The server's own 429 and 503, and what a load balancer says while a server behind it restarts."""

FIRST_WAIT = 0.1


@dataclass(frozen=True)
class Policy:
    """How hard a client tries.

    Args:
        retries: further attempts at most.
        longest_wait: seconds between two attempts at most; a server that asks for more is given up at once.
        clock: time, replaced in tests.
        secret: what no error may show.
    """

    retries: int
    longest_wait: float
    clock: Clock = field(default_factory=Clock)
    secret: str | None = None


class Attempts:
    """The attempts of one call.

    Args:
        call: what is sent.
        policy: how hard.
    """

    def __init__(self, call: Call, policy: Policy) -> None:
        self._call, self._policy, self._failed = call, policy, 0

    def answered(self, answer: Answer) -> float | None:
        """None: this is the answer; else the seconds to wait before the next attempt.

        Raises:
            ServerError: the server keeps failing, or asks for too long a wait.
        """
        if answer.status not in MAY_PASS or not self._call.retried:
            return None
        message, _ = failures.said(answer)
        problem = f"HTTP {answer.status}: {message}"
        asked = asked_wait(answer.headers.get("retry-after"), self._policy.clock)
        if asked is not None and asked > self._policy.longest_wait:
            problem = f"it asks for a wait of {asked:,.0f} s, above `longest_wait`; {problem}"
            raise self._given_up(problem, answer, self._failed + 1)
        return self._next(problem, answer, asked)

    def broken(self, problem: str, again: bool) -> float:
        """The seconds to wait after an attempt without an answer; `again`: whether another one may help.

        Raises:
            UnreachableError: it may not, or there were enough.
        """
        if not again or not self._call.retried:
            raise self._given_up(problem, None, self._failed + 1)
        return self._next(problem, None, None)

    def _next(self, problem: str, answer: Answer | None, asked: float | None) -> float:
        self._failed += 1
        policy = self._policy
        if self._failed > policy.retries:
            raise self._given_up(problem, answer, self._failed)
        ours = backoff(self._failed, FIRST_WAIT, policy.longest_wait, self._call.content)
        return min(policy.longest_wait, ours + (asked or 0.0))

    def _given_up(self, problem: str, answer: Answer | None, attempts: int) -> failures.ServerError:
        return failures.gave_up(self._call, problem, attempts, answer, self._policy.secret)
