"""Candidate documents for queries, from BM25 and dense models, with provenance."""
