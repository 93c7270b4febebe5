"""A run of a recipe that learns from scores: its steps, and the report on each test split."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from rankdistill.recipe.scores.experiment import Experiment
from rankdistill.recipe.scores.schema import BM25, INITIAL, Recipe
from rankdistill.recipe.scores.systems import Systems, all_steps
from rankdistill.recipe.steps import Step, Times, present

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
        from rankdistill.verbs.compare import compare, conclude, write

        evaluations = Systems(self.experiment).evaluated(split)
        results = compare(
            list(evaluations.values()),
            baseline=evaluations[INITIAL],
            title=f"{self.recipe.name}, {split}",
            command=self.command,
        )
        order = list(evaluations)
        trained = set(self.recipe.variants)
        costs = self._teacher_costs()
        systems = [
            system.model_copy(update=costs if system.name in trained else {})
            for system in sorted(results.systems, key=lambda system: _place(system.name, order))
        ]
        said = [self.experiment.choice.chosen.sentence()] if self.experiment.choice else []
        signature = {**results.signature, "recipe": self.recipe.model_dump()}
        results = results.model_copy(update={"systems": systems, "signature": signature, "conclusions": said})
        teacher = next((one.name for one in systems if one.name not in order), None)
        results = conclude(results, evaluations, list(self.recipe.variants), teacher=teacher, words=BM25)
        return write(results, _folder(self.recipe.folder, split, self.recipe.data.test))

    def _teacher_costs(self) -> dict[str, float | int]:
        """What the students' teacher cost: seconds of teaching and scoring, and the number of stored scores."""
        from rankdistill.verbs.arguments import score_store_of

        times = Times(self.experiment.root)
        made = self.experiment
        judging = made.choice.steps if made.choice else []
        steps = [*present(made.teacher), *judging, made.scores]
        seconds = sum(times.of(step) or 0.0 for step in steps)
        return {"teacher_seconds": seconds, "teacher_pairs": score_store_of(self.experiment.scores.folder).count()}


def _place(name: str, order: list[str]) -> int:
    return order.index(name) if name in order else len(order)


def _folder(root: Path, split: str, splits: list[str]) -> Path:
    return root if split == splits[0] else root / split
