"""Sparse indexes: weights over a vocabulary, searched exactly (the oracle) or approximately."""
