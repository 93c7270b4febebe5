"""What was rewritten; kept in `rewritten.json` beside the rewrites."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill import integrity, plain_json
from rankdistill.display import Shown, Table
from rankdistill.errors import DataError
from rankdistill.sessions import rewrites
from rankdistill.sessions.schema import Asked

if TYPE_CHECKING:
    import polars as pl

FILE_NAME = "rewritten.json"


@dataclass(frozen=True, repr=False)
class Rewritten(Shown):
    """Rewrites of one name; stands for the folder of the sessions.

    Args:
        path: the folder of the sessions.
        name: of the rewrites.
        kind: of the rewriter.
        questions: how many there are.
        rewritten: how many have a rewrite.
        opening: how many of these open their conversation, and were taken as they are.
        unchanged: how many others were given back as they are.
    """

    path: Path
    name: str
    kind: str
    questions: int
    rewritten: int
    opening: int
    unchanged: int

    @classmethod
    def of(
        cls, path: Path, name: str, kind: str, asked: Sequence[Asked], made: Mapping[str, str], costly: bool
    ) -> Rewritten:
        """From what was made."""
        opening = [one for one in asked if costly and len(one.said) == 1]
        same = [one for one in asked if _plain(made.get(one.turn_id, "")) == _plain(one.turn.text)]
        return cls(path, name, kind, len(asked), len(made), len(opening), len(same) - len(opening))

    @classmethod
    def read(cls, path: Path, name: str) -> Rewritten:
        """What lies in a finished folder.

        Raises:
            DataError: the file is absent or damaged.
        """
        file = rewrites.folder_of(path, name) / FILE_NAME
        try:
            return cls(path, name, **plain_json.loads(integrity.read_text(file)))
        except (OSError, ValueError, TypeError) as error:
            raise DataError(
                expected=f"the counts of rewrites in {file}",
                got=str(error),
                consequence="what was rewritten is unknown",
                remedy=f"remove {file.parent} and make them again",
            ) from error

    @property
    def text(self) -> str:
        """The content of `rewritten.json`."""
        content = {name: value for name, value in self.to_json().items() if name not in ("path", "name")}
        return json.dumps(content, indent=1) + "\n"

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"Rewritten({str(self.path)!r}: {self.rewritten:,} of {self.questions:,} questions as {self.name!r})"

    def tables(self) -> list[Table]:
        """One row of counts."""
        header = ["rewrites", "kind", "questions", "rewritten", "opening", "unchanged"]
        counts = [f"{one:,}" for one in (self.questions, self.rewritten, self.opening, self.unchanged)]
        return [Table(str(self.path), header, [[self.name, self.kind, *counts]], texts=2)]

    def to_polars(self) -> pl.DataFrame:
        """A question a row: turn_id, rewrite."""
        import polars as pl

        rows = rewrites.read(self.path, self.name)
        schema = {"turn_id": pl.String, "rewrite": pl.String}
        return pl.DataFrame({"turn_id": list(rows), "rewrite": list(rows.values())}, schema=schema)

    def to_json(self) -> dict[str, Any]:
        """Folder, name, kind and counts."""
        return {**vars(self), "path": str(self.path)}


def _plain(text: str) -> str:
    return " ".join(text.lower().split()).rstrip("?!. ")
