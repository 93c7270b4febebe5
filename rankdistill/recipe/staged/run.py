"""A run of a recipe of two stages: its steps, and the report on each test split."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from rankdistill import models
from rankdistill.errors import ModelReferenceError
from rankdistill.recipe.scores.reporting import folder_of, report
from rankdistill.recipe.staged.experiment import StagedExperiment
from rankdistill.recipe.staged.schema import ALIGNED, SPACE, StagedRecipe
from rankdistill.recipe.staged.systems import StagedSystems
from rankdistill.recipe.steps import Step, Times
from rankdistill.verbs.settings import is_yaml

if TYPE_CHECKING:
    from rankdistill.verbs.compare import Results


@dataclass(frozen=True)
class StagedRun:
    """What `rankdistill run` does with a recipe of kind `staged`.

    Args:
        recipe: the experiment.
        command: the command line, for manifests and the report.
    """

    recipe: StagedRecipe
    command: str = ""

    @cached_property
    def experiment(self) -> StagedExperiment:
        """The steps up to the indexes."""
        return StagedExperiment(self.recipe, self.command)

    def steps(self) -> list[Step]:
        """Every step, each after those it needs."""
        systems = StagedSystems(self.experiment)
        evaluations = [step for split in self.recipe.data.test for step in systems.evaluations(split).values()]
        return self.experiment.steps + evaluations

    def report(self) -> list[Results]:
        """Write `results.json` and `report.html`; the first split's lie in the run's folder."""
        return [self._report(split) for split in self.recipe.data.test]

    def _report(self, split: str) -> Results:
        evaluations, choice = StagedSystems(self.experiment).evaluated(split), self.experiment.scored.choice
        return report(
            evaluations,
            self.recipe.baseline,
            folder_of(self.recipe.folder, split, self.recipe.data.test),
            f"{self.recipe.name}, {split}",
            self.recipe.model_dump(mode="json"),
            dict.fromkeys(self.recipe.variants, self._teaching),
            list(self.recipe.variants),
            [choice.chosen.sentence()] if choice else [],
            self.command,
            SPACE if self._is_of_space() else None,
            [ALIGNED],
        )

    def _is_of_space(self) -> bool:
        """Whether the teacher of scores is the model whose space the student is aligned to."""
        reference = self.experiment.scored.teacher_model
        if not isinstance(reference, str) or is_yaml(reference):
            return False
        try:
            return models.resolve(reference).weights_hash == self.experiment.teacher_hash
        except ModelReferenceError:  # scores of another kind of teacher
            return False

    @property
    def _teaching(self) -> float:
        """Seconds that it took to teach the teacher of scores; 0 where it was taken as it is."""
        times = Times(self.recipe.folder)
        return sum(times.of(step) or 0.0 for step in self.experiment.scored.teaching)
