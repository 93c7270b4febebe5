"""Collections: queries, documents and relevance judgements, always as a BEIR folder on disk."""

from rankdistill.data.bad_rows import Mode
from rankdistill.data.beir import Dataset, load

__all__ = ["Dataset", "Mode", "load"]
