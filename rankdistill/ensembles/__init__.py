"""Several teachers as one: scores calibrated per query, joined, and averaged while they are read."""
