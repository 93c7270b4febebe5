"""What a generator of queries is, and what it may read of the corpus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from rankdistill.records import Document


class Settings(BaseModel):
    """Base of each kind's settings: unknown names are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Written(NamedTuple):
    """A query as it was generated.

    Args:
        kind: what made it; a mixture names the part that did.
        text: the query.
    """

    kind: str
    text: str


class Generator(Protocol):
    """Makes queries of documents. The same document, settings and corpus give the same queries, in any batch."""

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """Everything that decides the queries besides document and corpus, as JSON values; `kind` among them."""
        ...

    @property
    def costly(self) -> bool:
        """Whether making a query again costs more than reading it, so that what was made is kept."""
        ...

    @property
    def alone(self) -> bool:
        """Whether each document is asked about by itself, so that a stopped unit's queries are good too.

        Where several are computed together, rounding follows their company: only whole units are kept then.
        """
        ...

    def generate(self, documents: Sequence[Document], count: int) -> Iterator[tuple[int, list[Written]]]:
        """(number of the document, its queries), each document once, in any order.

        Args:
            documents: of the corpus.
            count: queries of each at most.

        Raises:
            TeacherError: a model or service fails; what came before is good.
        """
        ...


@runtime_checkable
class MeteredGenerator(Protocol):
    """A generator that may cost money."""

    def spent(self) -> str:
        """What was asked so far and what that costs, in words."""
        ...
