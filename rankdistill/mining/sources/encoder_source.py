"""What sources that search exactly with a model have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rankdistill.mining.exhaustive import Scorer, search
from rankdistill.mining.source import Hits
from rankdistill.progress import Progress


@dataclass(frozen=True)
class EncoderSource(ABC):
    """Encodes all documents, a chunk at a time, and compares every query with every document.

    Args:
        model: a model reference.
        max_length: tokens of a text that are read; None: the model's own limit.
        name: what the `source` column says; two sources in one table need two names.
    """

    model: str
    max_length: int | None = None
    name: str = ""

    @property
    def inputs(self) -> Mapping[str, str]:
        """The hash of the model's weights."""
        from rankdistill import models

        return {"model": models.resolve(self.model).weights_hash}

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The length limit."""
        return {"max_length": self.max_length}

    def retrieve(self, contents: Mapping[str, str], queries: Sequence[str], depth: int, progress: Progress) -> Hits:
        """Encode and compare all documents; see `Source.retrieve`."""
        return search(self.scorer(), contents, queries, depth, progress)

    @abstractmethod
    def scorer(self) -> Scorer[Any, Any]:
        """The loaded model, and how its vectors are compared."""
