"""A collection of a recipe: the step that makes it, if one must, and what identifies it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill.recipe.parts import SourcePart
from rankdistill.recipe.steps import Progress, Step, Workspace, present

if TYPE_CHECKING:
    from rankdistill.data import Dataset

PYDOCS = "pydocs"


@dataclass(frozen=True)
class Collection:
    """A folder in BEIR layout, given or made by a step of the run.

    Args:
        part: where it comes from.
        workspace: of the run.
        name: of the step that makes it.
    """

    part: SourcePart
    workspace: Workspace
    name: str = "data"

    @cached_property
    def step(self) -> Step | None:
        """Builds or fetches the collection; None where it is a folder already."""
        if self.part.source != PYDOCS and ":" not in self.part.source:
            return None
        settings: dict[str, Any] = {"source": self.part.source, "limit": self.part.limit}
        if self.part.source == PYDOCS:
            from rankdistill.data.pydocs import DEFAULT_PACKAGES

            settings["packages"] = _versions(DEFAULT_PACKAGES)
        return self.workspace.step(self.name, "documents", settings, [], self._make)

    @property
    def needs(self) -> list[Step]:
        """The step that makes it, in a list; empty where it is a folder already."""
        return present(self.step)

    @property
    def folder(self) -> Path:
        """Where it lies, or will lie when the step is done."""
        return self.step.folder if self.step else Path(self.part.source)

    @cached_property
    def dataset(self) -> Dataset:
        """The collection; the step must be done."""
        from rankdistill import data

        return data.load(self.folder, "lenient" if self.part.lenient else "strict")

    def identity(self) -> dict[str, Any]:
        """What identifies the texts; a collection made here is identified by its step."""
        settings: dict[str, Any] = {"lenient": self.part.lenient}
        if self.step is None:
            settings["data"] = self.dataset.fingerprint
        return settings

    def split_identity(self, split: str) -> dict[str, Any]:
        """What identifies the queries and labels of `split`, and the texts."""
        settings = self.identity() | {"split": split}
        if self.step is None:
            settings["qrels"] = self.dataset.qrels_hash(split)
        return settings

    def _make(self, out: Path, progress: Progress) -> None:
        from rankdistill.data import pydocs, sources

        if self.part.source == PYDOCS:
            pydocs.build(out, limit=self.part.limit, command=self.workspace.command)
        else:
            sources.fetch(self.part.source, out, command=self.workspace.command)


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
