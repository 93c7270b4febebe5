"""Conversations with what is known of each turn: one schema, its files, and the query that each turn becomes."""

from rankdistill.sessions.collection import Sessions
from rankdistill.sessions.reading import read
from rankdistill.sessions.schema import Asked, Session, Turn

__all__ = ["Asked", "Session", "Sessions", "Turn", "read"]
