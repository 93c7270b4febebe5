"""What a rewriter is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from rankdistill.sessions.schema import Asked


class Rewriter(Protocol):
    """Rewrites questions. The same conversation and settings give the same rewrite, in any batch."""

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """Everything that decides the rewrites besides the conversations, as JSON values; `kind` among them."""
        ...

    @property
    def costly(self) -> bool:
        """Whether a rewrite is made, by a model that is asked, and kept; False where it is looked up."""
        ...

    @property
    def alone(self) -> bool:
        """Whether each question is asked about by itself, so that a stopped unit's rewrites are good too.

        Where several are computed together, rounding follows their company: only whole units are kept then.
        """
        ...

    @property
    def shortened(self) -> int:
        """How many conversations so far were longer than it reads, so that their oldest turns were left out."""
        ...

    def rewrite(self, asked: Sequence[Asked]) -> Iterator[tuple[int, str]]:
        """(number of the question, its rewrite), each once, in any order; an empty text where it gave none.

        Raises:
            TeacherError: a model or service fails; what came before is good.
        """
        ...
