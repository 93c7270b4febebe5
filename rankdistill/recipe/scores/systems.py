"""The systems that a run evaluates: BM25, the student before training, the trained students, and the teacher."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill.progress import Reporter
from rankdistill.recipe.parts import slug
from rankdistill.recipe.scores.experiment import Experiment
from rankdistill.recipe.scores.schema import BM25, INITIAL, TEACHER
from rankdistill.recipe.steps import Step
from rankdistill.recipe.trained import gathered
from rankdistill.verbs.settings import DEFAULT_TOKENIZER, is_yaml

if TYPE_CHECKING:
    from rankdistill.verbs.compare import Trained


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
        if made.recipe.evaluate.rerank_depth:
            systems[TEACHER] = self._evaluation(TEACHER, split, [*data, made.scores], depth)
        return systems

    def evaluated(self, split: str) -> dict[str, Path | Trained]:
        """System -> its evaluation on `split`, or those of its trainings, for `comparing.compare`."""
        folders = {name: step.folder for name, step in self.evaluations(split).items()}
        return gathered(folders, {name: one.variant for name, one in self.experiment.recipe.trainings.items()})

    @property
    def _words(self) -> dict[str, str]:
        """The tokeniser of BM25, where it is not the usual one."""
        tokenizer = self.experiment.recipe.mine.tokenizer
        return {} if tokenizer == DEFAULT_TOKENIZER else {"tokenizer": tokenizer}

    def _evaluation(self, name: str, split: str, needs: list[Step], settings: Mapping[str, Any]) -> Step:
        return self.evaluation(name, split, needs, settings, None)

    def evaluation(
        self, name: str, split: str, needs: list[Step], settings: Mapping[str, Any], asked: Mapping[str, Any] | None
    ) -> Step:
        """The step that evaluates a system on `split`.

        Args:
            name: what tables call it.
            split: of the collection.
            needs: the steps whose results it reads.
            settings: what decides its result besides.
            asked: the system, as the verb `evaluate` takes it; None: one of this recipe.
        """
        made = self.experiment
        latency = made.recipe.evaluate.latency_queries

        def work(out: Path, reporter: Reporter) -> None:
            from rankdistill.verbs.evaluate import evaluate

            evaluate(
                made.dataset, out=out, split=split, latency=latency, progress=reporter, command=made.command,
                **(self._asked(name) if asked is None else asked),
            )  # fmt: skip

        known = made.collection.measured_identity(split) | {"latency": latency} | dict(settings)
        return made.workspace.step(f"evaluate-{split}-{slug(name)}", known, needs, work)

    def _asked(self, name: str) -> dict[str, Any]:
        """The system called `name`, as the verb `evaluate` takes it."""
        made = self.experiment
        words = f"bm25:{made.recipe.mine.tokenizer}"
        if name == BM25:
            return {"system": words, "name": BM25}
        if name == TEACHER:
            depth = made.recipe.evaluate.rerank_depth
            teacher = {f"rerank_{setting}": value for setting, value in made.teacher_settings().items()}
            model = made.teacher_model
            size = {} if not isinstance(model, str) or is_yaml(model) else {"size_of": model}
            chosen = f" {made.choice.chosen.name}" if made.choice else ""
            title = f"teacher{chosen} re-ranking BM25's {depth}"
            return {"system": words, "rerank": model, "rerank_depth": depth, "name": title} | teacher | size
        index = made.initial_index if name == INITIAL else made.index(name)
        return {"system": self._model(name), "index": index.folder, "name": name}

    def _model(self, name: str) -> str:
        """Reference of the student called `name`."""
        made = self.experiment
        return made.initial_model if name == INITIAL else str(made.student(name).folder)
