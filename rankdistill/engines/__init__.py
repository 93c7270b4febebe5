"""Search engines that an index's vectors are pushed into, and that are then evaluated.

Qdrant, LanceDB, ...: one file each, one line each in `registry.ENGINES`.
"""

from rankdistill.engines.registry import open_engine

__all__ = ["open_engine"]
