"""Models that only some sources load."""

from tests.teachers.conftest import tiny_multi_vector, tiny_splade

__all__ = ["tiny_multi_vector", "tiny_splade"]
