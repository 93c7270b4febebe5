"""The recipe that learns from scores: candidates, a teacher's scores of them, students, indexes, comparison."""
