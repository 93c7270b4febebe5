"""How long one query takes, alone: as a user of a search box sees it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from itertools import islice

import numpy as np

from rankdistill.evaluation.retrieve import Retriever
from rankdistill.evaluation.systems import Latency

WARM_UP = 3


def measure_latency(retriever: Retriever, queries: Mapping[str, str], k: int = 10, count: int = 100) -> Latency:
    """Milliseconds to encode and search the first `count` of `queries` one by one, after a short warm-up."""
    chosen = dict(islice(queries.items(), count))
    for query_id, text in islice(chosen.items(), WARM_UP):
        retriever.retrieve({query_id: text}, k)
    elapsed = []
    for query_id, text in chosen.items():
        start = time.perf_counter()
        retriever.retrieve({query_id: text}, k)
        elapsed.append(1000 * (time.perf_counter() - start))
    p50, p99 = np.percentile(elapsed, [50, 99])
    return Latency(p50=float(p50), p99=float(p99), queries=len(chosen))
