"""Alignment: a student learns to give its teacher's vectors, from an embedding store and without labels."""
