"""Indexes of token vectors: searched exactly by MaxSim (the oracle), or through the nearest tokens."""
