"""Ids in formats that separate columns by white space."""

from __future__ import annotations

from rankdistill.data.values import is_word
from rankdistill.errors import DataError


def word(identifier: str) -> str:
    """The id unchanged; DataError if it holds white space, which would break its row into more columns."""
    if not is_word(identifier):
        raise DataError(
            expected="an id without white space, which separates the columns of this format",
            got=repr(identifier),
            consequence="the file was not written",
            remedy="change the id, or choose a JSON format",
        )
    return identifier
