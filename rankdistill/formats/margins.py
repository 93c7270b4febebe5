"""From margins to scores: numbers whose differences are the margins, as far as the file determines them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl

TOLERANCE = 1e-3
"""Two ways to the same difference may disagree by this much, times 1 + |difference|: margins come rounded."""

Reject = Callable[[int, str], None]
"""Called with the place and the problem of a row that cannot be used."""


def solve(margins: pl.DataFrame, reject: Reject) -> pl.DataFrame:
    """Scores for a table of margins: the first positive of a query gets 0, every other document what follows from it.

    A margin is score(positive) - score(document). Within a query the margins form a graph; along its edges every score
    follows from one. Margins fix differences only, so the level of a query's scores carries no meaning.

    Args:
        margins: the columns of `spool.SCHEMA` with `positive_id` in each row, whole queries.
        reject: takes a margin that contradicts those before it, and one whose documents no chain of margins connects
            with the query's first positive: nothing says how their scores compare.

    Returns:
        The same columns with the score in `value`, null in `positive_id`, and label 1 for positives; sorted by
        query_id, doc_id, order.
    """
    rows: list[tuple[object, ...]] = []
    for query in margins.partition_by("query_id", maintain_order=True):
        rows.extend(_solve_query(query.sort("order"), reject))
    return pl.DataFrame(rows, schema=margins.schema, orient="row").sort("query_id", "doc_id", "order")


def _solve_query(margins: pl.DataFrame, reject: Reject) -> Iterator[tuple[object, ...]]:
    offsets = _Offsets()
    rows = list(margins.select("order", "place", "query_id", "positive_id", "doc_id", "value").iter_rows())
    first = rows[0][3]
    accepted = []
    for order, place, query_id, positive_id, doc_id, margin in rows:
        known = offsets.difference(positive_id, doc_id)
        if known is None:
            offsets.connect(positive_id, doc_id, margin)
        elif abs(known - margin) > TOLERANCE * (1 + abs(known)):
            reject(place, f"the margin {margin:g} contradicts {known:g}, which follows from other margins of the query")
            continue
        accepted.append((order, place, query_id, positive_id, doc_id))
    scores = {member: offsets.difference(member, first) for member in offsets.parent}
    for order, place, query_id, positive_id, doc_id in accepted:
        if scores[positive_id] is None:
            problem = f"no chain of margins connects positive {positive_id!r} with the first, {first!r}"
            reject(place, f"{problem}, so their scores cannot be compared")
            continue
        yield order, place, query_id, positive_id, scores[positive_id], 1, None, None
        yield order, place, query_id, doc_id, scores[doc_id], None, None, None


class _Offsets:
    """Union-find whose members carry their offset from the root of their set."""

    def __init__(self) -> None:
        self.parent: dict[str, str] = {}
        self.offset: dict[str, float] = {}

    def difference(self, one: str, other: str) -> float | None:
        """value(one) - value(other); None while nothing connects them."""
        root, offset = self._find(one)
        other_root, other_offset = self._find(other)
        return offset - other_offset if root == other_root else None

    def connect(self, one: str, other: str, difference: float) -> None:
        """Make value(one) - value(other) = difference."""
        root, offset = self._find(one)
        other_root, other_offset = self._find(other)
        self.parent[other_root] = root
        self.offset[other_root] = offset - difference - other_offset

    def _find(self, member: str) -> tuple[str, float]:
        """The root of the member's set, and value(member) - value(root)."""
        path, total = [], 0.0
        while (above := self.parent.setdefault(member, member)) != member:
            path.append((member, total))
            total += self.offset[member]
            member = above
        for passed, before in path:
            self.parent[passed], self.offset[passed] = member, total - before
        return member, total
