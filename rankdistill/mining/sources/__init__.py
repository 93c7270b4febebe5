"""The sources of candidates, one file a kind, and how they are named."""

from rankdistill.mining.sources.bm25 import Bm25Source
from rankdistill.mining.sources.dense import DenseSource
from rankdistill.mining.sources.multi_vector import MultiVectorSource
from rankdistill.mining.sources.registry import KINDS, SourceKind, named
from rankdistill.mining.sources.sparse import SparseSource

__all__ = ["KINDS", "Bm25Source", "DenseSource", "MultiVectorSource", "SourceKind", "SparseSource", "named"]
