"""Running a recipe of any kind: the stale steps, then the report."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from rankdistill import files
from rankdistill.indexing import registry
from rankdistill.progress import Progress
from rankdistill.recipe.leaf.run import LeafRun
from rankdistill.recipe.leaf.schema import LeafRecipe
from rankdistill.recipe.scores.run import ScoresRun
from rankdistill.recipe.scores.schema import Recipe
from rankdistill.recipe.steps import Step, execute

if TYPE_CHECKING:
    from rankdistill.evaluation.results import Results


class Run(Protocol):
    """What a kind of recipe gives: steps to do, and the report on what they made."""

    def steps(self) -> list[Step]:
        """Every step, each after those it needs."""
        ...

    def report(self) -> list[Results]:
        """Write `results.json` and `report.html` for each test split, the first one's into the run's folder."""
        ...


def plan(recipe: Recipe | LeafRecipe, command: str = "") -> Run:
    """The run of a recipe; nothing is done yet."""
    if isinstance(recipe, LeafRecipe):
        return LeafRun(recipe, command)
    return ScoresRun(recipe, command)


def run(recipe: Recipe | LeafRecipe, on_step: Callable[[Step], Progress], command: str = "") -> list[Results]:
    """Do what is stale, and write `results.json` and `report.html` into the recipe's folder.

    Killed at any instant, it takes up where it was. The results of a second and later test split lie in a folder of
    their own in the recipe's.

    Args:
        recipe: the experiment.
        on_step: called before each step that runs; gives its progress callback.
        command: the command line, for manifests and the report.

    Returns:
        The results of each test split, compared with the student before training or, where students learn from
        embeddings, with their teacher.

    Raises:
        ConfigError: an index factory that nothing understands, before anything is done.
        LockedError: another process runs in the same folder.
        RankdistillError: whatever a step raises.
    """
    registry.require_factory(recipe.index.factory, recipe.index.search_parameters)
    planned = plan(recipe, command)
    with files.exclusive(recipe.folder):
        execute(planned.steps(), on_step)
        return planned.report()
