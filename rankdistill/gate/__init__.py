"""Checks of a score store before anything trains on it."""
