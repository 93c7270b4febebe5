"""Fields of documents that an index keeps, and filters on them.

`schema` finds fields in a corpus and their types, `fields` keeps them, `language` reads a filter; `columns` compares.
"""

from rankdistill.indexing.filters.fields import Fields
from rankdistill.indexing.filters.language import Condition, Filter, parse

__all__ = ["Condition", "Fields", "Filter", "parse"]
