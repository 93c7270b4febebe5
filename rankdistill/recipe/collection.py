"""A collection of a recipe: the step that makes it, if one must, and what identifies it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill import manifest
from rankdistill.data.beir import LEFT_OUT, UNJUDGED
from rankdistill.data.identical_ids import known_rule
from rankdistill.locations import home
from rankdistill.notes import note
from rankdistill.progress import Reporter
from rankdistill.recipe.parts import SourcePart
from rankdistill.recipe.steps import Step, Workspace, present

if TYPE_CHECKING:
    from rankdistill.data import Dataset

PYDOCS = "pydocs"


def source_of(folder: Path) -> str:
    """What a recipe calls a folder: as it is, or where that is the name of a collection as well, from the root on."""
    return str(folder.absolute()) if _is_named(str(folder)) or str(folder) == PYDOCS else str(folder)


def _is_named(source: str) -> bool:
    """Whether a source is the name of a collection that is built or fetched; a folder that is there has none."""
    return source == PYDOCS or (":" in source and not Path(home(source)).exists())


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
        if not _is_named(self.part.source):
            return None
        settings: dict[str, Any] = {"source": self.part.source, "limit": self.part.limit}
        if self.part.source == PYDOCS:
            from rankdistill.data.pydocs import DEFAULT_PACKAGES

            settings["packages"] = _versions(DEFAULT_PACKAGES)
        return self.workspace.step(self.name, settings, [], self._make)

    @property
    def needs(self) -> list[Step]:
        """The step that makes it, in a list; empty where it is a folder already."""
        return present(self.step)

    @property
    def folder(self) -> Path:
        """Where it lies, or will lie when the step is done."""
        return self.step.folder if self.step else Path(home(self.part.source))

    @cached_property
    def dataset(self) -> Dataset:
        """The collection; the step must be done."""
        from rankdistill import data

        mode: data.Mode = "lenient" if self.part.lenient else "strict"
        found = data.load(self.folder, mode, self.part.ignore_identical_ids)
        for split in found.splits:
            for line in found.notes(split):
                note(f"{found.path}: {line}")
        return found

    def identity(self) -> dict[str, Any]:
        """What identifies the texts; a collection made here is identified by its step."""
        settings: dict[str, Any] = {"lenient": self.part.lenient}
        if self.step is None:
            settings["data"] = self.dataset.fingerprint
        return settings

    def split_identity(self, split: str) -> dict[str, Any]:
        """What identifies the queries and labels of `split`, the texts, and the rule on documents of queries' own ids.

        A collection made here says by its name what its `meta.json` will say.
        """
        settings = self.identity() | {"split": split}
        if self.step is None:
            settings["qrels"] = (
                self.dataset.qrels_hash(split)
                if split != UNJUDGED
                else manifest.digest(dict(self.dataset.qrels_hashes))
            )
            if left_out := self.dataset.left_out(split):
                settings[LEFT_OUT] = left_out
            return settings
        by_hand = self.part.ignore_identical_ids
        rule = known_rule(self.part.source) if by_hand is None else by_hand
        return settings | ({} if rule is None else {"ignore_identical_ids": rule})

    def labels_elsewhere(self, split: str) -> dict[str, str]:
        """What identifies the positives that other splits name of queries of `split`: models take none as a negative.

        Empty where splits share no query, as they seldom do, and of a collection made here, whose step says it all.
        """
        pairs = [] if self.step else _named_elsewhere(self.dataset, split)
        return {"labels_elsewhere": manifest.digest(pairs)} if pairs else {}

    def measured_identity(self, split: str) -> dict[str, Any]:
        """What identifies that which systems are measured on: also how many judged documents the corpus lacks."""
        return self.split_identity(split) | ({} if self.step else self.dataset.decisive(split))

    def _make(self, out: Path, reporter: Reporter) -> None:
        from rankdistill.data import pydocs, sources

        with reporter.stage(self.name, "documents"):
            if self.part.source == PYDOCS:
                pydocs.build(out, limit=self.part.limit, command=self.workspace.command)
            else:
                sources.fetch(self.part.source, out, command=self.workspace.command)


@dataclass(frozen=True, kw_only=True)
class DividedCollection(Collection):
    """A collection of which judged training queries are put aside by a step of the run.

    Args:
        base: the collection.
        split: whose queries are put aside.
        sizes: split -> how many it gets.
    """

    base: Collection
    split: str
    sizes: Mapping[str, int]

    @cached_property
    def step(self) -> Step:
        """Writes the divided collection."""
        settings = {"split": self.split, "sizes": dict(self.sizes)} | self.base.identity()
        if self.base.step is None:
            dataset = self.base.dataset
            settings["qrels"] = dict(dataset.qrels_hashes)
            settings["ignore_identical_ids"] = dataset.ignore_identical_ids
        return self.workspace.step("divided", settings, self.base.needs, self._divide)

    @property
    def needs(self) -> list[Step]:
        """The steps that make the collection, and this one."""
        return [*self.base.needs, self.step]

    def _divide(self, out: Path, reporter: Reporter) -> None:
        from rankdistill.data.dividing import divide

        with reporter.stage("divided", "queries"):
            divide(self.base.dataset, out, self.split, self.sizes, self.workspace.command)


def _named_elsewhere(dataset: Dataset, split: str) -> list[list[str]]:
    """(query text, document id) of the positives that only other splits name for queries of `split`, sorted."""
    texts = dataset.query_texts

    def named(one: str) -> set[tuple[str, str]]:
        return {
            (texts[query_id], doc_id)
            for query_id, labels in dataset.judgements[one].items()
            if query_id in texts
            for doc_id, label in labels.items()
            if label > 0
        }

    judged = {} if split == UNJUDGED else dataset.judgements[split]
    own = set(dataset.unjudged.values()) if split == UNJUDGED else {texts[one] for one in judged if one in texts}
    others = {pair for other in dataset.splits if other != split for pair in named(other) if pair[0] in own}
    return [list(pair) for pair in sorted(others - (named(split) if judged else set()))]


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
