"""What points of a server and of a folder have in common: their ids, and the types of their payload indexes."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

NAMESPACE = uuid.UUID("5f3b1c52-6c1d-5f0e-9d53-8f6c2b1d7a90")
"""Of the UUIDs that points have."""

FIELD_TYPES: Mapping[str, str] = {
    "string": "keyword",
    "integer": "integer",
    "number": "float",
    "boolean": "bool",
    "date": "datetime",
    "strings": "keyword",
}
"""Type of a field -> that of the payload index, without which a filter reads every document."""


def point_id(doc_id: str) -> str:
    """The id of a document's point."""
    return str(uuid.uuid5(NAMESPACE, doc_id))
