"""Queries under few filters: those under an equal one are searched together, and what it lets through is kept.

Source: Mohoney et al. 2023, arXiv 2304.01926 (HQI): one product for each (partition, filter) of a batch.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any, TypeAlias

import numpy as np

from rankdistill.errors import ConfigError
from rankdistill.indexing.base import NOTHING, Allowed, Ids, Scores
from rankdistill.indexing.filters.fields import Fields
from rankdistill.indexing.filters.language import Filter
from rankdistill.indexing.topk import Positions

FilterLike: TypeAlias = "Filter | Mapping[str, Any]"
"""A filter, or the JSON of one."""

KEPT_BYTES = 1 << 26
"""What an index keeps of filters at most: 64 of a million documents."""


class Masks:
    """What the filters of late let through, so that those that come again and again are looked up once."""

    def __init__(self, bytes: int = KEPT_BYTES) -> None:
        self._room = bytes
        self._kept: OrderedDict[Filter, Allowed] = OrderedDict()
        self._lock = Lock()

    def of(self, filter: Filter, fields: Fields) -> Allowed:
        """Bool `[documents]`; not to be written to."""
        with self._lock:
            found = self._kept.get(filter)
            if found is not None:
                self._kept.move_to_end(filter)
                return found
        found = filter.allowed(fields)
        found.flags.writeable = False
        with self._lock:
            self._kept[filter] = found
            while len(self._kept) > 1 and len(self._kept) * max(1, found.nbytes) > self._room:
                self._kept.popitem(last=False)
        return found


def search_grouped(
    queries: Any,
    filters: Sequence[Filter | None],
    rows: Callable[[Any, Positions], Any],
    search: Callable[[Any, Filter | None], tuple[Ids, Scores]],
) -> tuple[Ids, Scores]:
    """The results of all queries, each under its own filter.

    Args:
        queries: as an index takes them.
        filters: one a query.
        rows: `(queries, places)` -> the queries there.
        search: `(queries, filter)` -> their results.

    Raises:
        ConfigError: another number of filters than of queries.
    """
    count = queries.shape[0] if hasattr(queries, "shape") else len(queries)
    if len(filters) != count:
        raise ConfigError(
            expected=f"a filter for each of the {count} queries, None for none",
            got=f"{len(filters)}",
            consequence="nothing was searched",
            remedy="give one a query, or one `filter` for all",
        )
    groups: dict[Filter | None, list[int]] = {}
    for place, one in enumerate(filters):
        groups.setdefault(one, []).append(place)
    if len(groups) <= 1:
        return search(queries, next(iter(groups), None))
    found = {one: search(rows(queries, np.array(places)), one) for one, places in groups.items()}
    width = max(ids.shape[1] for ids, _ in found.values())
    every_id = np.full((count, width), NOTHING, object)
    every_score = np.full((count, width), -np.inf, np.float32)
    for one, places in groups.items():
        ids, scores = found[one]
        every_id[places, : ids.shape[1]], every_score[places, : ids.shape[1]] = ids, scores
    return every_id, every_score
