"""Rewriters, teachers of text: they say a question again so that it means the same without its conversation."""
