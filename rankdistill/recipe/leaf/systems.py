"""The systems that a run on embeddings evaluates: the teacher, and each student standard and asymmetric."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rankdistill.progress import Reporter
from rankdistill.recipe.leaf.experiment import LeafExperiment
from rankdistill.recipe.parts import slug
from rankdistill.recipe.steps import Step
from rankdistill.recipe.trained import gathered

if TYPE_CHECKING:
    from rankdistill.verbs.compare import Trained

TEACHER = "teacher"


@dataclass(frozen=True)
class System:
    """Queries of one model against documents of another.

    Args:
        name: what tables call it.
        query_model: reference of the model that embeds the queries.
        index: the documents, embedded.
        needs: further steps whose results it reads.
    """

    name: str
    query_model: str
    index: Step
    needs: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Systems:
    """What is evaluated of an experiment."""

    experiment: LeafExperiment

    def of(self, data: str) -> Iterator[System]:
        """The teacher, then each student standard (its own documents) and asymmetric (the teacher's documents)."""
        made = self.experiment
        documents = made.teacher_index(data)
        yield System(TEACHER, made.recipe.teacher.model, documents)
        for name in made.recipe.trainings:
            student = made.student(name)
            yield System(name, str(student.folder), made.student_index(data, name))
            yield System(asymmetric(name), str(student.folder), documents, (student,))

    def evaluations(self, data: str, split: str) -> dict[str, Step]:
        """System -> the step that evaluates it on a split of a collection; the teacher first."""
        return {system.name: self._evaluation(system, data, split) for system in self.of(data)}

    def evaluated(self, data: str, split: str) -> dict[str, Path | Trained]:
        """System -> its evaluation on a split, or those of its trainings, for `comparing.compare`."""
        folders = {name: step.folder for name, step in self.evaluations(data, split).items()}
        standard = {name: one.variant for name, one in self.experiment.recipe.trainings.items()}
        return gathered(folders, standard | {asymmetric(name): asymmetric(one) for name, one in standard.items()})

    def _evaluation(self, system: System, data: str, split: str) -> Step:
        made = self.experiment
        collection = made.collections[data]
        latency = made.recipe.evaluate.latency_queries

        def work(out: Path, reporter: Reporter) -> None:
            from rankdistill.verbs.evaluate import evaluate

            evaluate(
                collection.dataset,
                system.query_model,
                out,
                index=system.index.folder,
                split=split,
                latency=latency,
                name=system.name,
                progress=reporter,
                command=made.command,
            )

        settings = collection.measured_identity(split) | {"latency": latency}
        name = f"evaluate-{slug(data)}-{split}-{slug(system.name)}"
        return made.workspace.step(name, settings, [system.index, *system.needs], work)


def asymmetric(student: str) -> str:
    """What tables call a student whose queries search the teacher's documents."""
    return f"{student} asymmetric"
