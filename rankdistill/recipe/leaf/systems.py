"""The systems that a run on embeddings evaluates: the teacher, and each student standard and asymmetric."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rankdistill.progress import Reporter
from rankdistill.recipe.leaf.experiment import LeafExperiment
from rankdistill.recipe.leaf.schema import BM25, TEACHER, asymmetric, before_training
from rankdistill.recipe.parts import slug
from rankdistill.recipe.steps import Step, present
from rankdistill.recipe.trained import gathered

if TYPE_CHECKING:
    from rankdistill.verbs.compare import Trained


@dataclass(frozen=True)
class System:
    """Queries of one model against documents of another, or BM25.

    Args:
        name: what tables call it.
        query_model: reference of the model that embeds the queries; of BM25 its name.
        index: the documents, embedded; None: BM25.
        needs: further steps whose results it reads.
    """

    name: str
    query_model: str
    index: Step | None
    needs: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Systems:
    """What is evaluated of an experiment."""

    experiment: LeafExperiment

    def of(self, data: str) -> Iterator[System]:
        """The teacher, BM25, the students before training, then each student.

        A student is standard (its own documents) and asymmetric (the teacher's documents). Before training it can only
        be standard: its vectors are not in the teacher's space yet.
        """
        made = self.experiment
        documents = made.teacher_index(data)
        yield System(TEACHER, made.recipe.teacher.model, documents)
        yield System(BM25, made.recipe.evaluate.bm25, None, tuple(made.collections[data].needs))
        for name in dict.fromkeys(made.recipe.starts.values()):
            yield System(before_training(name), made.initial_model(name), made.initial_index(data, name))
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
                index=None if system.index is None else system.index.folder,
                split=split,
                latency=latency,
                name=system.name,
                progress=reporter,
                command=made.command,
            )

        settings = collection.measured_identity(split) | {"latency": latency}
        if system.index is None:
            settings["words"] = system.query_model
        name = f"evaluate-{slug(data)}-{split}-{slug(system.name)}"
        return made.workspace.step(name, settings, [*present(system.index), *system.needs], work)
