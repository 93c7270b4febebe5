"""Indexes: vectors by document id, searched exactly or approximately.

`exact` is the oracle that every other back end is tested against.
"""

from rankdistill.indexing.base import NOTHING, Index, Searcher
from rankdistill.indexing.building import build
from rankdistill.indexing.searching import Hit, StoredIndex, load, search

__all__ = ["NOTHING", "Hit", "Index", "Searcher", "StoredIndex", "build", "load", "search"]
