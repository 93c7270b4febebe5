"""The collection that documents, queries and labels come to: the BEIR folder as it is, or what is made of files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from rankdistill.data import Dataset, converting, load, meta
from rankdistill.data.converting import kinds
from rankdistill.notes import note_reports, tell
from rankdistill.progress import Reporter
from rankdistill.recipe.choosing import splits
from rankdistill.verbs.arguments import collection_of
from rankdistill.verbs.data import note_conversion

DEV_SHARE = 0.25
"""Of judged queries that are not trained on, to choose on: where that is as many as a verdict asks for."""


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
        request = _shared(self.request)
        converting.convert(folder, request, False, reporter, command)
        note_conversion(meta.read(folder).conversion or {})
        found = load(folder, "lenient")
        note_reports(found.reports)
        return found


def _shared(request: converting.Request) -> converting.Request:
    """The request with shares of dev and test that suit how many queries are judged.

    What is too little to train on is all for measuring, and a part of it to choose on where there is enough for both.
    """
    if not (request.qrels or request.clicks):
        return request
    judged = converting.judged_without_split(request)
    if not judged or judged * (1 - request.dev - request.test) >= splits.FEWEST:
        return request
    dev = DEV_SHARE if judged * DEV_SHARE >= splits.MEASURED else 0.0
    share = "three quarters are" if dev else "all are"
    tell(f"{judged:,} judged queries are too few to train on: {share} for the verdict")
    return replace(request, dev=dev, test=1 - dev)


def _changes(request: converting.Request) -> bool:
    """Whether a BEIR folder would become another one."""
    columns = (*request.columns.values(), *request.query_columns.values())
    besides = (request.queries, request.clicks, *request.qrels, *(one for one in columns if one is not None))
    return any(one is not None for one in besides) or bool(request.decisive().keys() - {"lenient"})
