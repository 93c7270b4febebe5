"""The systems that a run of two stages evaluates: those of a recipe on scores, the first stage, and its teacher."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rankdistill.recipe.scores.schema import BM25, INITIAL
from rankdistill.recipe.scores.systems import Systems
from rankdistill.recipe.staged.experiment import StagedExperiment
from rankdistill.recipe.staged.schema import ALIGNED, SPACE
from rankdistill.recipe.steps import Step
from rankdistill.recipe.trained import gathered

if TYPE_CHECKING:
    from rankdistill.verbs.compare import Trained


@dataclass(frozen=True)
class StagedSystems:
    """What is evaluated of an experiment."""

    experiment: StagedExperiment

    def evaluations(self, split: str) -> dict[str, Step]:
        """System -> the step that evaluates it on `split`: BM25, the teacher of the vectors, then stage by stage."""
        made, of_scores = self.experiment, Systems(self.experiment.scored)
        second = of_scores.evaluations(split)
        found = {name: second.pop(name) for name in (BM25, INITIAL)}
        if made.recipe.evaluate.embedding_teacher:
            asked = {"system": made.recipe.space.model, "index": made.teacher_index.folder, "name": SPACE}
            found[SPACE] = of_scores.evaluation(SPACE, split, [made.teacher_index], {}, asked)
        for name in made.recipe.alignments:
            student, index = made.aligned(name), made.aligned_index(name)
            asked = {"system": str(student.folder), "index": index.folder, "name": name}
            found[name] = of_scores.evaluation(name, split, [student, index], {}, asked)
        return found | second

    def evaluated(self, split: str) -> dict[str, Path | Trained]:
        """System -> its evaluation on `split`, or those of its trainings, for `comparing.compare`."""
        folders = {name: step.folder for name, step in self.evaluations(split).items()}
        return gathered(folders, self._systems)

    @property
    def _systems(self) -> Mapping[str, str]:
        recipe = self.experiment.recipe
        students = {name: one.variant for name, one in recipe.trainings.items()}
        return students | dict.fromkeys(recipe.alignments, ALIGNED)
