"""Indexes of texts as they are, searched by their words."""
