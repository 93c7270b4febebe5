"""`init`: a commented recipe for the data that it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill import files
from rankdistill.display import Shown, Table
from rankdistill.errors import OutputError
from rankdistill.progress import ProgressLike, reporter_of
from rankdistill.recipe.choosing.choose import BASE, choose
from rankdistill.recipe.choosing.writing import text
from rankdistill.recipe.staged.schema import StagedRecipe
from rankdistill.verbs.arguments import Data, Model, Place, collection_of, place_of, reference_of, require_range
from rankdistill.verbs.contract import verb

if TYPE_CHECKING:
    import polars as pl


USUAL = Path("recipe.yaml")
"""Where a recipe is written unless another file is named."""


@dataclass(frozen=True, repr=False)
class Chosen(Shown):
    """A recipe that was chosen and written; it stands for its file, and prints as what was chosen and why.

    Args:
        path: the file.
        recipe: what it says.
        reasons: dotted setting -> why it has its value.
    """

    path: Path
    recipe: StagedRecipe
    reasons: Mapping[str, str]

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"Chosen({str(self.path)!r}: {self.recipe.kind} {self.recipe.name})"

    def tables(self) -> list[Table]:
        """A setting with a reason a row, in the order of the file."""
        rows = [[place, _short(place, value), self.reasons[place]] for place, value in self._reasoned()]
        return [Table(str(self.path), ["setting", "value", "because"], rows, texts=3)]

    def lines(self) -> list[str]:
        """What to do with it."""
        return [f"{self.path} is written: change what you like, then rankdistill run {self.path}"]

    def to_polars(self) -> pl.DataFrame:
        """A setting with a reason a row: setting, value, because."""
        import polars as pl

        rows = [[place, str(value), self.reasons[place]] for place, value in self._reasoned()]
        return pl.DataFrame(rows, schema=dict.fromkeys(("setting", "value", "because"), pl.String), orient="row")

    def to_json(self) -> dict[str, Any]:
        """The file, the settings in it, and the reasons."""
        settings = self.recipe.model_dump(mode="json", exclude_unset=True)
        return {"path": str(self.path), "recipe": settings, "reasons": dict(self.reasons)}

    def _reasoned(self) -> list[tuple[str, Any]]:
        given = self.recipe.model_dump(mode="json", exclude_unset=True)
        places = [
            (name, value)
            for top, content in given.items()
            for name, value in [
                (top, content),
                *([(f"{top}.{key}", one) for key, one in content.items()] if isinstance(content, dict) else []),
            ]
        ]
        return [(place, value) for place, value in places if place in self.reasons]


@verb
def init(
    data: Data,
    out: Place = USUAL,
    *,
    teacher: Model = BASE,
    minutes: float | None = None,
    max_mb: float | None = None,
    lenient: bool = False,
    ignore_identical_ids: bool | None = None,
    progress: ProgressLike = False,
) -> Chosen:
    """Write a recipe that fits a collection, with a comment that says why each value was chosen.

    Args:
        data: the collection; documents alone will do.
        out: the file; one that is there is kept, and nothing is written.
        teacher: a model, or a YAML file with its kind and settings.
        minutes: that the run may take on this machine; a few texts are encoded and steps trained to know what fits.
        max_mb: megabytes that the student may take.
        lenient: leave bad rows out instead of stopping, now and in the run.
        ignore_identical_ids: see `rankdistill.data.identical_ids`.
        progress: True tells on standard error.

    Returns:
        What was chosen and why; stands for the file, so that `run(init(DIR))` runs it.

    Raises:
        DataError: the collection cannot be used.
        ModelReferenceError: there is no such teacher.
        OutputError: `out` is there already, or cannot be written.
    """
    require_range(0.01, minutes=minutes, max_mb=max_mb)
    path = place_of(out)
    if path.exists():
        raise OutputError(
            expected=f"{path} not to be there yet",
            got="a folder" if path.is_dir() else "a file, which somebody may have changed by hand",
            consequence="nothing was written, and it is as it was",
            remedy="name another file: --out FILE",
        )
    dataset = collection_of(data, lenient=lenient, ignore_identical_ids=ignore_identical_ids)
    with reporter_of(progress).stage("look", "documents") as stage:
        recipe, reasons = choose(dataset, reference_of(teacher), minutes, max_mb)
        stage(len(dataset.document_lines))
    heading = f"Chosen by `rankdistill init` for {dataset.path}. Run it with  rankdistill run {path}"
    files.make_folder(path.parent)
    files.write_text(path, text(recipe, reasons, heading))
    return Chosen(path, recipe, reasons)


def _short(place: str, value: Any) -> str:
    """A value in a cell; a whole part of the recipe is none."""
    return "" if isinstance(value, dict) and "." not in place else str(value)
