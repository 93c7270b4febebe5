"""What `distill` was asked for, kept beside what comes of it: an output of other inputs is never gone on with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from rankdistill import files, plain_json
from rankdistill.data import Dataset
from rankdistill.errors import DataError, StaleOutputError
from rankdistill.recipe.distilling.layout import Layout

_TOLD = {
    "collection": "the documents or queries",
    "teacher": "the teacher's weights or settings",
}


@dataclass(frozen=True)
class Asked:
    """What decides the result of `distill`.

    Args:
        inputs: name -> hash of what is read.
        settings: as they were given; JSON values.
        recipe: hash of the recipe that was written; empty: none is yet.
        finished: whether everything is there.
    """

    inputs: Mapping[str, str]
    settings: Mapping[str, Any]
    recipe: str = ""
    finished: bool = False

    @classmethod
    def of(cls, dataset: Dataset, teacher: str, settings: Mapping[str, Any]) -> Asked:
        """What this collection, this teacher (its hash) and these settings are."""
        judged = {f"qrels {split}": found for split, found in dataset.qrels_hashes.items()}
        return cls({"collection": dataset.fingerprint, **judged, "teacher": teacher}, dict(settings))

    @classmethod
    def read(cls, layout: Layout) -> Asked | None:
        """What was written before; None where nothing was.

        Raises:
            DataError: the file is damaged.
        """
        if not layout.asked.is_file():
            return None
        try:
            return cls(**plain_json.loads(layout.asked.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise DataError(
                expected="what `rankdistill distill` wrote",
                got=f"{layout.asked}: {error}",
                consequence="what made this folder is unknown, so it was not used",
                remedy="choose another output, or remove the folder",
            ) from error

    def write(self, layout: Layout) -> None:
        """Keep it."""
        files.write_text(layout.asked, json.dumps(asdict(self), indent=1, sort_keys=True) + "\n")

    def with_recipe(self, text: str) -> Asked:
        """The same, which has this recipe."""
        return replace(self, recipe=_hash(text))

    def done(self) -> Asked:
        """The same, of which everything is there."""
        return replace(self, finished=True)

    def require_same(self, now: Asked, layout: Layout) -> None:
        """Raise StaleOutputError where `now` differs from this, or the recipe is not as it was written."""
        if differing := [*self._differences(now)]:
            raise StaleOutputError(
                expected=f"{layout.root} to be empty, or made of the same inputs with the same settings",
                got="; ".join(differing),
                consequence="nothing was changed: what lies there is kept",
                remedy="name another folder, --out FOLDER, or remove the old one",
            )
        if _hash(layout.recipe.read_text(encoding="utf-8")) != self.recipe:
            raise StaleOutputError(
                expected=f"{layout.recipe} as it was written",
                got="a recipe that was changed since",
                consequence="nothing was run: bundle and verdict would be of another recipe",
                remedy=f"rankdistill run {layout.recipe} --set out=FOLDER runs it as it is now; or say what shall "
                "differ with --set, and name another folder, --out FOLDER",
            )

    def _differences(self, now: Asked) -> Iterator[str]:
        for name in sorted(self.inputs.keys() | now.inputs.keys()):
            before, after = self.inputs.get(name), now.inputs.get(name)
            if before != after:
                what = _TOLD.get(name) or f"the judgements of {name.removeprefix('qrels ')!r}"
                yield f"{what} {'came' if before is None else 'went' if after is None else 'changed'}"
        for name in sorted(self.settings.keys() | now.settings.keys()):
            before, after = self.settings.get(name), now.settings.get(name)
            if before != after:
                yield f"{name} was {before!r}, is now {after!r}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
