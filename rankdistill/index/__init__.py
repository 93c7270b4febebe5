"""Indexes: vectors by document id, searched exactly or approximately.

`exact` is the oracle that every other back end is tested against.
"""

from rankdistill.index.base import NOTHING, Index, Searcher
from rankdistill.index.building import build
from rankdistill.index.searching import Hit, StoredIndex, load, search

__all__ = ["NOTHING", "Hit", "Index", "Searcher", "StoredIndex", "build", "load", "search"]
