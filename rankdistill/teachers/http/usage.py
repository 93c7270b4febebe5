"""What an HTTP teacher was asked so far, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import Lock

from rankdistill.teachers.http.settings import Prices


@dataclass(frozen=True)
class Usage:
    """Counts.

    Args:
        requests: answered ones.
        retries: attempts that failed and were made again.
        tokens: as the server counted them; 0 where it does not say.
        searches: billed by the server; 0 where it does not say.
        floored: answers of a language model that lacked one of yes and no, which then got the least probability listed.
        unanswered: answers that lacked both and were scored 0.
    """

    requests: int = 0
    retries: int = 0
    tokens: int = 0
    searches: int = 0
    floored: int = 0
    unanswered: int = 0

    def cost(self, prices: Prices) -> float:
        """In the currency of `prices`."""
        return (
            self.requests * prices.per_request
            + self.tokens / 1000 * prices.per_1k_tokens
            + self.searches / 1000 * prices.per_1k_searches
        )

    def __str__(self) -> str:
        counts = {name: getattr(self, name) for name in self.__dataclass_fields__}
        shown = [f"{count:,} {name}" for name, count in counts.items() if count or name == "requests"]
        return ", ".join(shown)


class Meter:
    """Adds up usage from several threads."""

    def __init__(self) -> None:
        self._lock, self._usage = Lock(), Usage()

    @property
    def usage(self) -> Usage:
        """What was counted so far."""
        return self._usage

    def add(self, more: Usage) -> None:
        """Count `more` too."""
        with self._lock:
            names = self._usage.__dataclass_fields__
            self._usage = replace(
                self._usage, **{name: getattr(self._usage, name) + getattr(more, name) for name in names}
            )
