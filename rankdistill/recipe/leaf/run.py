"""A run of a recipe that learns from embeddings: its steps, and the report on each test split."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from rankdistill.recipe.leaf import triangle
from rankdistill.recipe.leaf.experiment import LeafExperiment
from rankdistill.recipe.leaf.schema import BM25, TEACHER, LeafRecipe, asymmetric, before_training
from rankdistill.recipe.leaf.systems import Systems
from rankdistill.recipe.parts import slug
from rankdistill.recipe.steps import Step

if TYPE_CHECKING:
    from rankdistill.verbs.compare import Results


@dataclass(frozen=True)
class LeafRun:
    """What `rankdistill run` does with a recipe of kind `leaf`.

    Args:
        recipe: the experiment.
        command: the command line, for manifests and the report.
    """

    recipe: LeafRecipe
    command: str = ""

    @cached_property
    def experiment(self) -> LeafExperiment:
        """The steps up to the indexes."""
        return LeafExperiment(self.recipe, self.command)

    def steps(self) -> list[Step]:
        """Every step, each after those it needs."""
        systems = Systems(self.experiment)
        evaluations = [step for test in self.recipe.tests for step in systems.evaluations(*test).values()]
        return self.experiment.steps + evaluations

    def report(self) -> list[Results]:
        """Write `results.json` and `report.html` for each test split, and `triangle.json` over all of them.

        Each opens with a verdict on every student, standard and asymmetric. The baseline is the teacher. The first
        split's files lie in the run's folder, the others' in COLLECTION/SPLIT.
        """
        every = [self._report(data, split) for data, split in self.recipe.tests]
        found = triangle.triangles(every, TEACHER, list(self.recipe.students))
        triangle.write(self.recipe.folder, found)
        return every

    def _report(self, data: str, split: str) -> Results:
        from rankdistill.verbs.compare import compare, judge_students, write

        evaluations = Systems(self.experiment).evaluated(data, split)
        results = compare(
            list(evaluations.values()),
            baseline=evaluations[TEACHER],
            title=f"{self.recipe.name}, {data}, {split}",
            command=self.command,
        )
        signature = {**results.signature, "recipe": self.recipe.model_dump(mode="json")}
        results = results.model_copy(update={"data": data, "signature": signature})
        for student, start in self.recipe.starts.items():
            others = {"bm25": BM25, "untrained": before_training(start), "teacher": TEACHER}
            results = judge_students(results, evaluations, [student, asymmetric(student)], others)
        return write(results, self._folder(data, split))

    def _folder(self, data: str, split: str) -> Path:
        root = self.recipe.folder
        return root if (data, split) == self.recipe.tests[0] else root / slug(data) / split
