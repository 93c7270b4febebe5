"""What a user is told besides results: through the standard library's logger `rankdistill`.

A note, at the level WARNING, is something to know of a result that is given all the same; Python shows it on standard
error unless told otherwise. What went as it should is at the level INFO. The command line shows both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from logging import LogRecord, getLogger

LOGGER = "rankdistill"


def note(text: str | None) -> None:
    """Something to know; None: there is nothing."""
    if text is not None:
        getLogger(LOGGER).warning("%s", text)


def tell(text: str) -> None:
    """What went as it should, such as an output that is up to date."""
    getLogger(LOGGER).info("%s", text)


@contextmanager
def once() -> Iterator[None]:
    """Within the block the same words are told once: work that reads the same things again has nothing new to tell."""
    said: set[str] = set()

    def is_new(record: LogRecord) -> bool:
        words = record.getMessage()
        known = words in said
        said.add(words)
        return not known

    logger = getLogger(LOGGER)
    logger.addFilter(is_new)
    try:
        yield
    finally:
        logger.removeFilter(is_new)


def note_reports(reports: Sequence[str], most: int = 10) -> None:
    """A note on the rows that lenient reading left out, the first `most` of them."""
    if reports:
        more = [f"and {len(reports) - most:,} more"] if len(reports) > most else []
        note("\n  ".join([f"left out {len(reports):,} bad rows:", *reports[:most], *more]))
