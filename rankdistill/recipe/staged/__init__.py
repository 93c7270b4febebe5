"""The recipe of two stages: a cut student is aligned to a teacher's vectors, then learns from a teacher's scores."""
