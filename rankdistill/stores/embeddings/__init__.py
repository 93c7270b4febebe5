"""The embedding store: a teacher's vectors of query-like and document-like texts, to train students from."""

from rankdistill.stores.embeddings.reader import EmbeddingStore

__all__ = ["EmbeddingStore"]
