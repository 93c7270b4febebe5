"""The recipe that learns from embeddings: the teacher's vectors, students in its space, bundles, the triangle."""
