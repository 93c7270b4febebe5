"""Which documents of the sources' lists become candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rankdistill.errors import ConfigError
from rankdistill.fusion import Fusion
from rankdistill.mining.source import Hits
from rankdistill.mining.window import ALL_RANKS, Window

FUSED = "fused"
"""What the `source` column says of the fused list."""

Ranked = Sequence[tuple[str, float]]
"""(doc_id, score) of one query, best first."""


@dataclass(frozen=True)
class Choice:
    """Windows for the lists; with `fusion` the window of the fused list chooses for all of them.

    Args:
        window: which ranks of a list are kept.
        windows: source -> its own window, instead of `window`.
        fusion: how the sources' lists become one; None: they do not.
    """

    window: Window = ALL_RANKS
    windows: Mapping[str, Window] = field(default_factory=dict)
    fusion: Fusion | None = None

    def require(self, sources: Sequence[str], depth: int) -> None:
        """Raise ConfigError unless this can choose from lists of `sources` of length `depth`."""
        if not sources or len(set(sources)) < len(sources) or FUSED in sources:
            raise ConfigError(
                expected=f"at least one source, each with its own name, none of them {FUSED!r}",
                got=", ".join(sources) or "none",
                consequence="nothing was mined: rows of two sources could not be told apart",
                remedy="name each source once, as NAME=KIND where two are of one kind",
            )
        if self.fusion is not None:
            self.fusion.require_systems(len(sources))
        choosing = sources if self.fusion is None else [FUSED]
        if unknown := sorted(set(self.windows) - set(choosing)):
            raise ConfigError(
                expected=f"ranks and samples of what chooses here: {', '.join(choosing)}",
                got=", ".join(unknown),
                consequence="nothing was mined",
                remedy="name one of those, or leave the name out",
            )
        for window in (self.window, *self.windows.values()):
            window.require_within(depth)

    def parameters(self, depth: int) -> dict[str, Any]:
        """What decides the choice, as JSON values."""
        found: dict[str, Any] = _parameters(self.window, depth) | {"seed": self.window.seed}
        if self.window.top:
            found["top"] = True
        if self.windows:
            found["windows"] = {name: _parameters(window, depth) for name, window in sorted(self.windows.items())}
        if self.fusion is not None:
            found["fusion"] = dict(self.fusion.parameters)
        return found

    def choose(self, query_id: str, lists: Mapping[str, Ranked], labels: Mapping[str, int]) -> dict[str, set[str]]:
        """Source -> the documents of one query whose rows are kept: those chosen, and all relevant ones."""
        relevant = {doc_id for doc_id, label in labels.items() if label > 0}
        if self.fusion is not None:
            return dict.fromkeys(lists, relevant | self._inside(query_id, FUSED, lists[FUSED], relevant))
        return {name: relevant | self._inside(query_id, name, hits, relevant) for name, hits in lists.items()}

    def _inside(self, query_id: str, source: str, hits: Ranked, relevant: set[str]) -> set[str]:
        ranks = [rank for rank, (doc_id, _) in enumerate(hits, start=1) if doc_id not in relevant]
        window = self.windows.get(source, self.window)
        chosen = window.choose(ranks, query_id, source) | ({1} if window.top and hits and not relevant else set())
        return {hits[rank - 1][0] for rank in chosen}


def lists_of_query(found: Mapping[str, Hits], fusion: Fusion | None, depth: int, place: int) -> dict[str, Ranked]:
    """Source -> its list, for the query at `place`; with `fusion` one more, called `FUSED`, cut at `depth`."""
    lists: dict[str, Ranked] = {
        name: list(zip(ids[place], scores[place].tolist(), strict=True)) for name, (ids, scores) in found.items()
    }
    if fusion is not None:
        lists[FUSED] = list(fusion([dict(hits) for hits in lists.values()]).items())[:depth]
    return lists


def _parameters(window: Window, depth: int) -> dict[str, Any]:
    return {"ranks": [window.first, window.last or depth], "sample": window.sample}
