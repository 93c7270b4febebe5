"""Queries from documents alone: what generates them, one file a kind; what sieves them; the collection they make."""
