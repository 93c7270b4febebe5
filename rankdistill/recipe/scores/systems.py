"""The systems that a run evaluates: BM25, the student before training, the trained students, and the teacher."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill.mining.sources.bm25 import DEFAULT
from rankdistill.progress import Progress
from rankdistill.recipe.parts import slug
from rankdistill.recipe.scores.experiment import Experiment
from rankdistill.recipe.scores.schema import BM25, INITIAL, TEACHER
from rankdistill.recipe.steps import Step
from rankdistill.recipe.trained import gathered

if TYPE_CHECKING:
    from rankdistill.evaluation.comparing import Trained
    from rankdistill.evaluation.evaluating import Costs
    from rankdistill.evaluation.retrieve import Retriever


def all_steps(experiment: Experiment) -> list[Step]:
    """Every step of a run, evaluations last, each after those it needs."""
    systems = Systems(experiment)
    splits = experiment.recipe.data.test
    return experiment.steps + [step for split in splits for step in systems.evaluations(split).values()]


@dataclass(frozen=True)
class Systems:
    """What is evaluated of an experiment."""

    experiment: Experiment

    def evaluations(self, split: str) -> dict[str, Step]:
        """System -> the step that evaluates it on `split`; BM25 first, trained students in the recipe's order."""
        made = self.experiment
        data = made.collection.needs
        systems = {
            BM25: self._evaluation(BM25, split, data, self._words),
            INITIAL: self._evaluation(INITIAL, split, [made.initial_index], {}),
        }
        for training in made.recipe.trainings:
            systems[training] = self._evaluation(training, split, [made.student(training), made.index(training)], {})
        depth = {"rerank_depth": made.recipe.evaluate.rerank_depth, **self._words}
        systems[TEACHER] = self._evaluation(TEACHER, split, [*data, made.scores], depth)
        return systems

    def evaluated(self, split: str) -> dict[str, Path | Trained]:
        """System -> its evaluation on `split`, or those of its trainings, for `comparing.compare`."""
        folders = {name: step.folder for name, step in self.evaluations(split).items()}
        return gathered(folders, {name: one.variant for name, one in self.experiment.recipe.trainings.items()})

    def retriever(self, name: str, progress: Progress) -> Retriever:
        """The system called `name`, ready to be evaluated."""
        from rankdistill import teachers
        from rankdistill.evaluation.opening import open_retriever
        from rankdistill.evaluation.rerank import Reranker
        from rankdistill.evaluation.retrieve import Bm25Retriever

        made = self.experiment
        if name == BM25:
            return Bm25Retriever(made.dataset, BM25, tokenizer=made.recipe.mine.tokenizer)
        if name == TEACHER:
            depth = made.recipe.evaluate.rerank_depth
            title = f"teacher re-ranking BM25's {depth}"
            teacher = teachers.load(made.teacher_model, **made.teacher_settings())
            first = Bm25Retriever(made.dataset, tokenizer=made.recipe.mine.tokenizer)
            return Reranker(made.dataset, first, teacher, title, depth, progress)
        index = made.initial_index if name == INITIAL else made.index(name)
        return open_retriever(made.dataset, self._model(name), index.folder, name=name, progress=progress)

    @property
    def _words(self) -> dict[str, str]:
        """The tokeniser of BM25, where it is not the usual one."""
        tokenizer = self.experiment.recipe.mine.tokenizer
        return {} if tokenizer == DEFAULT else {"tokenizer": tokenizer}

    def _evaluation(self, name: str, split: str, needs: list[Step], settings: Mapping[str, Any]) -> Step:
        made = self.experiment
        latency = made.recipe.evaluate.latency_queries

        def work(out: Any, progress: Progress) -> None:
            from rankdistill.evaluation.evaluating import evaluate

            retriever = self.retriever(name, progress)
            evaluate(
                retriever,
                made.dataset,
                split,
                out,
                latency_queries=min(latency, len(made.dataset.queries(split))),
                costs=self._costs(name, retriever),
                command=made.command,
            )

        known = made.collection.measured_identity(split) | {"latency": latency} | dict(settings)
        return made.workspace.step(f"evaluate-{split}-{slug(name)}", "texts", known, needs, work)

    def _costs(self, name: str, retriever: Retriever) -> Costs:
        from rankdistill.evaluation.evaluating import Costs
        from rankdistill.evaluation.footprint import footprint
        from rankdistill.evaluation.indexed import IndexedRetriever

        model = self._model(name)
        if model is None:
            return Costs()
        size = footprint(model)
        index_bytes = retriever.index_bytes if isinstance(retriever, IndexedRetriever) else None
        return Costs(model_bytes=size.model_bytes, parameters=size.parameters, index_bytes=index_bytes)

    def _model(self, name: str) -> str | None:
        """Reference of the model that the system called `name` runs; None for BM25."""
        made = self.experiment
        if name in made.recipe.trainings:
            return str(made.student(name).folder)
        return {TEACHER: made.teacher_model, INITIAL: made.initial_model}.get(name)
