"""The embedding store: a teacher's vectors of query-like and document-like texts, to train students from."""
