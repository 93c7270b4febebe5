"""Training: from the score store to a student (views, objectives, the run)."""
