"""The collection that documents, queries and labels come to: the BEIR folder as it is, or what is made of files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from rankdistill.data import Dataset, converting, load, meta
from rankdistill.data.converting import kinds
from rankdistill.notes import note_reports
from rankdistill.progress import Reporter
from rankdistill.verbs.arguments import collection_of
from rankdistill.verbs.data import note_conversion


@dataclass(frozen=True)
class Source:
    """Where the collection comes from.

    Args:
        place: the documents.
        request: how a collection is made of them; None: it is one, and nothing comes besides.
        opened: the collection, where it was given as such.
        lenient: leave bad rows out.
    """

    place: Path
    request: converting.Request | None
    opened: Dataset | None = None
    lenient: bool = False

    @classmethod
    def of(cls, request: converting.Request, opened: Dataset | None = None) -> Source:
        """What the settings come to.

        Args:
            request: how a collection would be made.
            opened: the one that lies at its place already, where it was given as such.

        Raises:
            ConfigError: settings that cannot be.
            DataError: nothing is there.
        """
        request.check()
        kind = request.kind or kinds.find(request.place)
        if kind == kinds.BEIR and not _changes(request):
            return cls(request.place, None, opened, request.lenient)
        return cls(request.place, replace(request, kind=kind), None, request.lenient)

    def collection(self, folder: Path, reporter: Reporter, command: str) -> Dataset:
        """The collection, which is made in `folder` where it must be."""
        if self.request is None:
            return self.opened if self.opened is not None else collection_of(self.place, lenient=self.lenient)
        converting.convert(folder, self.request, False, reporter, command)
        note_conversion(meta.read(folder).conversion or {})
        found = load(folder, "lenient")
        note_reports(found.reports)
        return found


def _changes(request: converting.Request) -> bool:
    """Whether a BEIR folder would become another one."""
    columns = (*request.columns.values(), *request.query_columns.values())
    besides = (request.queries, request.clicks, *request.qrels, *(one for one in columns if one is not None))
    return any(one is not None for one in besides) or bool(request.decisive().keys() - {"lenient"})
