"""Candidates of several sources for training queries, scored by teachers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rankdistill
from rankdistill.data import Dataset


def mined(
    dataset: Dataset,
    sources: Sequence[str],
    teachers: Sequence[Any],
    work: Path,
    queries: int,
    depth: int,
    sample: int,
    unit_size: int = 4096,
    **settings: Any,
) -> Any:
    """The score store of `queries` training queries with `sample` of each source's best `depth`.

    Interrupted, the same call goes on. `teachers` are what `rankdistill.score` takes, `settings` are of
    `rankdistill.mine`. `unit_size` pairs are scored at a time: an embedding teacher encodes a document once in each.
    """
    candidates = rankdistill.mine(
        dataset,
        work / "candidates",
        sources,
        split="train",
        depth=depth,
        sample=sample,
        limit_queries=queries,
        **settings,
    )
    for teacher in teachers:
        store = rankdistill.score(dataset, teacher, candidates, work / "store", unit_size=unit_size)
        print(store.run, flush=True)
    return rankdistill.open(work / "store")
