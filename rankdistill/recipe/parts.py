"""The parts that recipes of every kind have. Loads no torch."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, Field

REPORT_FILE = "report.html"
"""What a run writes for a person, in its folder."""

NAME = r"[A-Za-z0-9][A-Za-z0-9 ._-]*"
"""What a student or a collection may be called: its folders are named for it."""


class Part(BaseModel):
    """A part of a recipe: an unknown setting is an error, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SourcePart(Part):
    """Where a collection comes from."""

    source: str = Field(
        "pydocs",
        description="`pydocs` (built from installed packages), a folder in BEIR layout, or a name that "
        "`rankdistill data fetch` takes, such as mteb:SciFact.",
    )
    limit: int | None = Field(None, ge=100, description="pydocs only: how many documents.")
    lenient: bool = Field(False, description="Drop bad rows with a report, instead of stopping.")
    ignore_identical_ids: bool | None = Field(
        None,
        description="Leave the document that has the query's own id out of rankings and candidates, or keep it; null: "
        "as the collection's meta.json says, and where that says nothing, out if it has the query's text.",
    )


def require_names(what: str, names: Iterable[str]) -> None:
    """Raise ValueError unless every name is fit for a folder's and differs from the others as such."""
    folders: dict[str, str] = {}
    for name in names:
        if not re.fullmatch(NAME, name):
            raise ValueError(f"{what}: {name!r} is no name: letters, digits, spaces and ._- only")
        if slug(name) in folders:
            raise ValueError(f"{what}: {name!r} and {folders[slug(name)]!r} would have one folder")
        folders[slug(name)] = name


def slug(name: str) -> str:
    """The name as a part of a folder name."""
    return name.lower().replace(" ", "-")
