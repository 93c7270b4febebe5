"""A run of a recipe that learns from scores: its steps, and the report on each test split."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from rankdistill.recipe.scores.experiment import Experiment
from rankdistill.recipe.scores.reporting import folder_of, report
from rankdistill.recipe.scores.schema import INITIAL, Recipe
from rankdistill.recipe.scores.systems import Systems, all_steps
from rankdistill.recipe.steps import Step, Times

if TYPE_CHECKING:
    from rankdistill.verbs.compare import Results


@dataclass(frozen=True)
class ScoresRun:
    """What `rankdistill run` does with a recipe of kind `scores`.

    Args:
        recipe: the experiment.
        command: the command line, for manifests and the report.
    """

    recipe: Recipe
    command: str = ""

    @cached_property
    def experiment(self) -> Experiment:
        """The steps up to the indexes."""
        return Experiment(self.recipe, self.command)

    def steps(self) -> list[Step]:
        """Every step, each after those it needs."""
        return all_steps(self.experiment)

    def report(self) -> list[Results]:
        """Write `results.json` and `report.html`; the baseline is the student before training.

        With several test splits the first one's files lie in the run's folder, the others' in a folder named for it.
        """
        return [self._report(split) for split in self.recipe.data.test]

    def _report(self, split: str) -> Results:
        choice = self.experiment.choice
        return report(
            Systems(self.experiment).evaluated(split),
            INITIAL,
            folder_of(self.recipe.folder, split, self.recipe.data.test),
            f"{self.recipe.name}, {split}",
            self.recipe.model_dump(),
            dict.fromkeys(self.recipe.variants, self._teaching),
            list(self.recipe.variants),
            [choice.chosen.sentence()] if choice else [],
            self.command,
        )

    @property
    def _teaching(self) -> float:
        """Seconds that it took to teach the students' teacher; 0 where it was taken as it is."""
        times = Times(self.experiment.root)
        return sum(times.of(step) or 0.0 for step in self.experiment.teaching)
