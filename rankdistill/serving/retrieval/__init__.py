"""Search over stored indexes: each request is checked, encoded, searched under its filter, fused and re-ranked.

A request goes `service` -> `queries` (what an index is asked for) -> a `leg` for each index -> `reranking`.
"""

from rankdistill.serving.retrieval.opening import open_search

__all__ = ["open_search"]
