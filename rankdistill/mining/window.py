"""Which ranks of a source's list become candidates."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rankdistill.errors import ConfigError


@dataclass(frozen=True)
class Window:
    """Ranks `first` to `last` (from 1, both included), and how many of them are drawn.

    Args:
        first: best rank taken.
        last: worst rank taken; None: as deep as the source was asked.
        sample: number drawn uniformly, without replacement, among the ranks in the window; None: all.
        seed: of the draw.
        top: keep the first of a list too where its query has no relevant document, to be declared its positive.

    Raises:
        ConfigError: an empty window or sample.
    """

    first: int = 1
    last: int | None = None
    sample: int | None = None
    seed: int = 0
    top: bool = False

    def __post_init__(self) -> None:
        if self.first < 1 or (self.last is not None and self.last < self.first):
            raise _invalid("ranks FIRST:LAST with 1 <= FIRST <= LAST", f"{self.first}:{self.last}")
        if self.sample is not None and self.sample < 1:
            raise _invalid("a sample of at least 1", str(self.sample))

    def require_within(self, depth: int) -> None:
        """Raise ConfigError if the window reaches below rank `depth`, which no source will return."""
        if depth < 1:
            raise _invalid("a depth of at least 1", str(depth))
        if max(self.first, self.last or 0) > depth:
            raise _invalid(f"ranks within the depth {depth}", f"{self.first}:{self.last or depth}")

    def choose(self, ranks: Sequence[int], query_id: str, source: str) -> set[int]:
        """The members of `ranks` that become candidates.

        The draw depends on seed, query and source only: not on the other queries, nor on their order.
        """
        inside = [rank for rank in ranks if self.first <= rank and (self.last is None or rank <= self.last)]
        if self.sample is None or self.sample >= len(inside):
            return set(inside)
        key = hashlib.sha256(f"{self.seed}\0{source}\0{query_id}".encode()).digest()
        generator = np.random.default_rng(int.from_bytes(key))
        return set(generator.choice(np.array(inside), size=self.sample, replace=False).tolist())


ALL_RANKS = Window()
"""The whole list that a source returns."""


def parse_windows(
    ranks: Sequence[str], samples: Sequence[str], seed: int, top: bool = False
) -> tuple[Window, dict[str, Window]]:
    """The window of every source, and those that sources have for themselves.

    Args:
        ranks: `FIRST:LAST` for all sources, `SOURCE=FIRST:LAST` for one.
        samples: `N` for all, `SOURCE=N` for one; a source with its own ranks or sample takes the other from all.
        seed: of the draws.
        top: of every window.

    Raises:
        ConfigError: another shape, or one source twice.
    """
    ranks_of, sample_of = _by_source(ranks), _by_source(samples)
    windows = {
        source: Window(
            *_parse_ranks(ranks_of.get(source, ranks_of.get(_ALL))),
            _parse_sample(sample_of.get(source, sample_of.get(_ALL))),
            seed,
            top,
        )
        for source in dict.fromkeys([_ALL, *ranks_of, *sample_of])
    }
    return windows.pop(_ALL), windows


def parse_ranks(text: str) -> tuple[int, int]:
    """`LO:HI` as two integers.

    Raises:
        ConfigError: another shape.
    """
    first, colon, last = text.partition(":")
    if not (colon and first.isdecimal() and last.isdecimal()):
        raise _invalid("ranks as FIRST:LAST, for example 1:50", repr(text))
    return int(first), int(last)


_ALL = ""


def _by_source(texts: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        source, sign, value = text.rpartition("=")
        if source in found or (sign and not source):
            raise _invalid("one value for all sources and at most one SOURCE=VALUE for each", ", ".join(texts))
        found[source] = value
    return found


def _parse_ranks(text: str | None) -> tuple[int, int | None]:
    return (1, None) if text is None else parse_ranks(text)


def _parse_sample(text: str | None) -> int | None:
    if text is not None and not text.isdecimal():
        raise _invalid("a sample as a number, or SOURCE=NUMBER", repr(text))
    return None if text is None else int(text)


def _invalid(expected: str, got: str) -> ConfigError:
    return ConfigError(expected=expected, got=got, consequence="nothing was mined", remedy="change the setting")
