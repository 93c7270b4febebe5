"""Running a recipe of any kind: the stale steps, then the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rankdistill import files, manifest
from rankdistill.display import Shown, Table
from rankdistill.progress import ProgressLike, reporter_of
from rankdistill.recipe.leaf.run import LeafRun
from rankdistill.recipe.leaf.schema import LeafRecipe
from rankdistill.recipe.loading import AnyRecipe, load, parse
from rankdistill.recipe.parts import REPORT_FILE
from rankdistill.recipe.scores.run import ScoresRun
from rankdistill.recipe.scores.schema import Recipe
from rankdistill.recipe.staged.run import StagedRun
from rankdistill.recipe.staged.schema import StagedRecipe
from rankdistill.recipe.steps import Step, execute
from rankdistill.verbs.arguments import Place, place_of
from rankdistill.verbs.contract import verb
from rankdistill.verbs.settings import require_factory, require_trackers

if TYPE_CHECKING:
    import polars as pl

    from rankdistill.verbs.compare import Results


LIBRARIES = ("torch", "transformers", "sentence-transformers", "faiss-cpu", "faiss-gpu", "bm25s", "openvino", "numpy")
"""Whose versions may decide what a run makes."""


class Run(Protocol):
    """What a kind of recipe gives: steps to do, and the report on what they made."""

    def steps(self) -> list[Step]:
        """Every step, each after those it needs."""
        ...

    def report(self) -> list[Results]:
        """Write `results.json` and `report.html` for each test split, the first one's into the run's folder."""
        ...


class Reports(Shown):
    """What a run ends with: the results of each test split, in the recipe's order.

    Args:
        folder: the run's.
        results: of the splits, compared with the student before training or, where students learn from embeddings, with
            their teacher.
    """

    def __init__(self, folder: Path, results: Sequence[Results]) -> None:
        self.path, self.results = folder, list(results)

    def __fspath__(self) -> str:
        return str(self.path)

    def __iter__(self) -> Iterator[Results]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def __getitem__(self, place: int) -> Results:
        return self.results[place]

    def __repr__(self) -> str:
        splits = ", ".join(f"{one.data} {one.split}" for one in self.results)
        return f"Reports({str(self.path)!r}: {splits})"

    def tables(self) -> list[Table]:
        """Those of each split."""
        return [table for one in self.results for table in one.tables()]

    def lines(self) -> list[str]:
        """What each split comes to, and where the report lies."""
        several = len(self.results) > 1
        said = [
            f"{one.data}, {one.split}: {sentence}" if several else sentence
            for one in self.results
            for sentence in one.conclusions
        ]
        return [*dict.fromkeys(said), str(self.path / REPORT_FILE)]

    def to_polars(self) -> pl.DataFrame:
        """The comparisons of every split, with columns `data` and `split`."""
        import polars as pl

        return pl.concat(
            [one.to_polars().with_columns(data=pl.lit(one.data), split=pl.lit(one.split)) for one in self.results],
            how="diagonal_relaxed",
        )

    def to_json(self) -> dict[str, Any]:
        """The folder, and the results of each split."""
        return {"run": str(self.path), "results": [one.to_json() for one in self.results]}


def plan(recipe: AnyRecipe, command: str = "") -> Run:
    """The run of a recipe; nothing is done yet."""
    if isinstance(recipe, LeafRecipe):
        return LeafRun(recipe, command)
    if isinstance(recipe, StagedRecipe):
        return StagedRun(recipe, command)
    return ScoresRun(recipe, command)


@verb
def run(
    recipe: Place | Mapping[str, Any] | AnyRecipe,
    overrides: Sequence[str] = (),
    *,
    progress: ProgressLike = False,
    command: str = "",
) -> Reports:
    """Do what is stale of a recipe, and write `results.json`, `report.html` and a manifest into its folder.

    Killed at any instant, it takes up where it was. The results of a second and later test split lie in a folder of
    their own in the recipe's.

    Args:
        recipe: a YAML file, the name of a recipe that comes with the package (`quickstart`), its settings, or a recipe
            that was read.
        overrides: changes such as `train.steps=200`.
        progress: True tells on standard error; or a function that takes the number of units just done.
        command: the command line, for manifests and the report.

    Raises:
        ConfigError: an invalid recipe; an index factory that nothing understands, before anything is done.
        MissingDependencyError: a tracker of its trainings is not installed, before anything is done.
        LockedError: another process runs in the same folder.
        RankdistillError: whatever a step raises.
    """
    chosen = read(recipe, overrides)
    require_factory(chosen.index.factory, chosen.index.search_parameters, chosen.index.build_parameters)
    planned = plan(chosen, command)
    if not all(step.done for step in planned.steps()):
        require_trackers(trackers(chosen))
    with files.exclusive(chosen.folder):
        _forget(chosen)
        execute(planned.steps(), reporter_of(progress))
        reports = Reports(chosen.folder, planned.report())
        _describe(chosen, planned, command)
    return reports


def _forget(chosen: AnyRecipe) -> None:
    """Remove what says that the folder holds a whole run, where that was of another recipe."""
    before = manifest.read(chosen.folder)
    if before is not None and before.parameters.get("recipe") != as_given(chosen):
        (chosen.folder / manifest.FILE_NAME).unlink()


def _describe(chosen: AnyRecipe, planned: Run, command: str) -> None:
    """Write what made the run: its recipe, and the identity of what each step made."""
    made = {step.folder.name: manifest.read(step.folder) for step in planned.steps()}
    manifest.Manifest(
        artefact=manifest.RUN,
        inputs={name: found.identity for name, found in made.items() if found is not None},
        parameters={"recipe": as_given(chosen)},
        versions=manifest.versions_of(*LIBRARIES),
        command=command,
    ).write(chosen.folder)


def trackers(recipe: AnyRecipe) -> set[str]:
    """The experiment trackers that any of its trainings report to."""

    def named(part: Any) -> Iterator[str]:
        for name, value in part.items() if isinstance(part, Mapping) else ():
            yield from value if name == "report_to" and value else named(value)

    return set(named(recipe.model_dump()))


def as_given(recipe: AnyRecipe) -> dict[str, Any]:
    """The settings of a recipe as JSON values: those that were given, but for where the run lies."""
    return recipe.model_dump(mode="json", exclude_unset=True, exclude={"out"})


def read(recipe: Place | Mapping[str, Any] | AnyRecipe, overrides: Sequence[str] = ()) -> AnyRecipe:
    """The recipe that this means, changed by `overrides`; see `run`."""
    if isinstance(recipe, Recipe | LeafRecipe | StagedRecipe):
        return parse(recipe.model_dump(exclude_unset=True), recipe.name, overrides) if overrides else recipe
    if isinstance(recipe, Mapping):
        return parse(recipe, "the settings given", overrides)
    return load(place_of(recipe), overrides)
