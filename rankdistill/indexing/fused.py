"""Several indexes searched as one."""

from __future__ import annotations

from collections.abc import Sequence

from rankdistill.fusion import Fusion
from rankdistill.indexing.filters.grouping import FilterLike
from rankdistill.indexing.kinds import Queries
from rankdistill.indexing.searching import Hit, StoredIndex

DEPTH = 100
"""Documents that each index is asked for, at least: a document far down in one may be the best of all."""


def search_fused(
    indexes: Sequence[StoredIndex],
    encoders: Sequence[Queries],
    queries: Sequence[str],
    k: int,
    fusion: Fusion,
    depth: int = DEPTH,
    filter: FilterLike | None = None,
) -> list[list[Hit]]:
    """The best `k` documents for each query by the fused rankings of `indexes`, best first; scores are the fusion's.

    Args:
        indexes: of any kinds.
        encoders: of the queries, one an index.
        queries: any number of texts.
        k: documents a query.
        fusion: the method.
        depth: documents a query that each index is asked for.
        filter: what documents must be that are found; each index must keep its fields.

    Raises:
        SpaceMismatchError: an encoder embeds into another space than its index's.
        ConfigError: fewer than two indexes, or weights that do not fit them; a field that one of them lacks.
    """
    fusion.require_systems(len(indexes))
    read = [None if filter is None else index.filter(filter) for index in indexes]
    found = [
        index.search_texts(queries, max(k, depth), encoder, filter=found)
        for index, encoder, found in zip(indexes, encoders, read, strict=True)
    ]
    fused = []
    for place in range(len(queries)):
        ranking = fusion([{hit.doc_id: hit.score for hit in hits[place]} for hits in found])
        fused.append([Hit(doc_id, score) for doc_id, score in list(ranking.items())[:k]])
    return fused
