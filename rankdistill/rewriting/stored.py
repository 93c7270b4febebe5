"""`stored`: rewrites that somebody else made, by hand or with a model, in a file of ids and texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rankdistill import files
from rankdistill.errors import DataError
from rankdistill.querying import generator
from rankdistill.sessions import stored_rewrites
from rankdistill.sessions.schema import Asked

KIND = "stored"


class Settings(generator.Settings):
    """Settings of the kind.

    Args:
        path: JSON lines, Parquet, or a table with tabs; see `rankdistill.sessions.stored_rewrites`.
    """

    path: str


class Stored:
    """Looks rewrites up by the ids of questions; a question that the file does not know gets none.

    Args:
        settings: see `Settings`.

    Raises:
        DataError: the file cannot be read, or has bad rows.
    """

    costly, alone, shortened = False, True, 0

    def __init__(self, settings: Settings) -> None:
        self._path = Path(settings.path)
        self._rewrites, _ = stored_rewrites.read(self._path)

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """The content of the file."""
        return {"kind": KIND, "file": self._path.name, "sha256": files.hash_file(self._path)}

    def rewrite(self, asked: Sequence[Asked]) -> Iterator[tuple[int, str]]:
        """See `Rewriter.rewrite`; DataError where the file knows none of the questions."""
        if asked and not any(one.turn_id in self._rewrites for one in asked):
            raise DataError(
                expected=f"rewrites of these questions in {self._path}, by their ids, as {asked[0].turn_id!r}",
                got=f"none; its ids are as {next(iter(self._rewrites))!r}",
                consequence="nothing was written",
                remedy="give the file that belongs to these sessions",
            )
        for number, one in enumerate(asked):
            yield number, self._rewrites.get(one.turn_id, "")


def load(settings: Settings) -> Stored:
    """The rewriter, with the file read."""
    return Stored(settings)
