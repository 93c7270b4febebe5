"""The fingerprint of an embedding space: which vectors may be compared with which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from rankdistill.errors import SpaceMismatchError
from rankdistill.manifest import digest


@dataclass(frozen=True)
class Space:
    """An embedding space as its document tower defines it.

    Args:
        dimension: length of a vector.
        normalised: whether document vectors have unit length.
        similarity: `cosine` or `dot`.
        prompts: prompt name -> text, as the model carries them.
        document_tower: fingerprint (weights and tokenisation) of the model that embeds documents.
    """

    dimension: int
    normalised: bool
    similarity: str
    prompts: Mapping[str, str] = field(default_factory=dict)
    document_tower: str = ""

    @property
    def fingerprint(self) -> str:
        """Hash of all fields, hex."""
        return digest(asdict(self))

    def to_json(self) -> dict[str, Any]:
        """The fields, as JSON values."""
        return asdict(self)


def require_same(index: Space, query: Space) -> None:
    """Raise SpaceMismatchError unless `query` vectors may search an index of space `index`."""
    differing = {
        name: (value, getattr(query, name)) for name, value in asdict(index).items() if value != asdict(query)[name]
    }
    if differing:
        raise SpaceMismatchError(
            expected="a query model of the index's own space",
            got="; ".join(f"{name}: index {a!r}, query model {b!r}" for name, (a, b) in differing.items()),
            consequence="scores between the two spaces mean nothing, so nothing was searched",
            remedy="search with the model that the index was built with, or build the index again",
        )
