"""What stands for the model of an index of texts: it leaves them as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rankdistill.progress import Progress
from rankdistill.space import TextSpace


class PlainTexts:
    """Gives texts back; both a document and a query encoder."""

    space = TextSpace()
    query_spaces = (space,)
    fingerprint: Mapping[str, Any] = {"texts": "as they are"}

    def encode_queries(self, texts: Sequence[str]) -> list[str]:
        """The texts."""
        return list(texts)

    def encode_documents(self, texts: Sequence[str], progress: Progress | None = None) -> list[str]:
        """The texts."""
        if progress is not None:
            progress(len(texts))
        return list(texts)
