"""From a recipe to its steps: what each reads, what decides its result, and the call that does it.

Evaluation is in `rankdistill.recipe.scores.systems`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rankdistill import models
from rankdistill.progress import Reporter
from rankdistill.recipe.collection import Collection, DividedCollection
from rankdistill.recipe.parts import slug
from rankdistill.recipe.scores import in_batch
from rankdistill.recipe.scores.choice import Choice
from rankdistill.recipe.scores.queries import QueriedCollection
from rankdistill.recipe.scores.schema import EMBEDDINGS, SAME_TEACHER, Recipe
from rankdistill.recipe.steps import Step, Workspace, present
from rankdistill.verbs.settings import SPARSE_TYPES, TrainConfig, TypeName, in_batch_identity

if TYPE_CHECKING:
    from rankdistill.data import Dataset


class Stage(Protocol):
    """What goes before training on scores, in recipes of more than one stage."""

    def start(self, training: str) -> Step | None:
        """The step that makes the student which a training starts from; None: the student before training."""

    @property
    def embeddings(self) -> Step | None:
        """The step that embeds the texts; None where the store was there before."""

    @property
    def vectors(self) -> Path:
        """The store of vectors, which `in_batch_teacher: embeddings` stands for."""

    @property
    def vectors_identity(self) -> Mapping[str, Any]:
        """What identifies a store that was there before."""

    def holds_vectors_of(self, model: str, settings: Mapping[str, Any]) -> bool:
        """Whether the store is of this teacher, loaded with these settings."""


@dataclass(frozen=True)
class Experiment:
    """The steps of a recipe.

    Args:
        recipe: the experiment.
        command: the command line, for manifests.
        before: the stage before this one, if there is one.
    """

    recipe: Recipe
    command: str = ""
    before: Stage | None = None

    @property
    def root(self) -> Path:
        """The run's folder."""
        return self.recipe.folder

    @cached_property
    def steps(self) -> list[Step]:
        """Every step up to the indexes, each after those it needs."""
        steps = [*self.collection.needs, self.candidates, *self.teaching, self.scores, *present(self.initial)]
        steps.append(self.initial_index)
        for training in self.recipe.trainings:
            steps += [self.student(training), self.index(training)]
        return steps

    @cached_property
    def workspace(self) -> Workspace:
        """The run's folder, in which the steps lie."""
        return Workspace(self.root, self.command)

    @cached_property
    def collection(self) -> Collection:
        """Where the documents, queries and labels come from."""
        part, base = self.recipe.data, Collection(self.recipe.data, self.workspace)
        if sizes := part.put_aside:
            base = DividedCollection(part, self.workspace, "divided", base=base, split=part.train, sizes=sizes)
        if self.recipe.queries is None:
            return base
        return QueriedCollection(
            part, self.workspace, "queries", base=base, queries=self.recipe.queries, split=part.train
        )

    @property
    def dataset(self) -> Dataset:
        """The collection; its step must be done."""
        return self.collection.dataset

    @cached_property
    def candidates(self) -> Step:
        """Mines candidates for the training queries."""
        settings = self.recipe.mine.decisive() | self.collection.split_identity(self.recipe.data.train)
        return self.workspace.step("candidates", settings, self.collection.needs, self._mine)

    @cached_property
    def dev_candidates(self) -> Step | None:
        """Mines what teachers are judged on; None where none is: a ready one alone, or no dev split."""
        part, split = self.recipe.teacher, self.recipe.data.dev
        if split is None or not (part.is_taught or part.is_judged):
            return None
        asked = self.recipe.mine.for_judging(part.dev_depth, part.dev_queries)

        def work(out: Path, reporter: Reporter) -> None:
            from rankdistill.verbs.mine import mine

            settings = asked.model_dump()
            mine(self.dataset, out, split=split, **settings, progress=reporter, command=self.command)

        settings = asked.decisive() | self.collection.split_identity(split)
        return self.workspace.step("dev-candidates", settings, self.collection.needs, work)

    @cached_property
    def teacher(self) -> Step | None:
        """Fine-tunes the teacher; None where the recipe names a ready one, or only such ones to choose from.

        Where there is a dev split it is compared with BM25, the sources and its base; see `_require_worth`.
        """
        part = self.recipe.teacher
        if not part.is_taught:
            return None
        settings = {
            "teach": part.teach.decisive(),
            "base": models.resolve(part.base).weights_hash,
        }
        settings |= self.collection.split_identity(self.recipe.data.train) | self._labels_elsewhere
        needs = [self.candidates, *present(self.dev_candidates)]
        return self.workspace.step("teacher", settings, needs, self._teach)

    @cached_property
    def choice(self) -> Choice | None:
        """Which of several teachers is taken; None where the recipe has one."""
        if self.recipe.teacher.candidates is None:
            return None
        return Choice(self.recipe, self.workspace, self.collection, self.teacher, self.dev_candidates)

    @property
    def teaching(self) -> list[Step]:
        """What makes, judges and chooses the teacher, from what it is judged on."""
        judging = self.choice.steps if self.choice else []
        return [*present(self.dev_candidates), *present(self.teacher), *judging]

    @cached_property
    def scores(self) -> Step:
        """Scores the candidates with the teacher."""
        part = self.recipe.teacher
        settings = self.recipe.score.decisive() | {"kind": part.kind}
        if part.model:
            from rankdistill.verbs.settings import teacher_identity

            settings["teacher"] = teacher_identity(part.model)
        if self.choice is not None:
            settings |= self.choice.identity()
        needs = [self.candidates, *(self.choice.needs if self.choice else present(self.teacher))]
        return self.workspace.step("scores", settings, needs, self._score)

    @cached_property
    def initial(self) -> Step | None:
        """The student before training; None where it keeps all layers and so is the model itself."""
        part = self.recipe.student
        if part.keep_layers is None:
            return None
        settings: dict[str, Any] = {
            "model": models.resolve(part.model).weights_hash,
            "keep_layers": part.keep_layers,
        }
        if self.recipe.initial_type in SPARSE_TYPES:
            settings["head"] = True
        return self.workspace.step("initial", settings, [], self._inherit)

    @cached_property
    def _type_of_model(self) -> TypeName:
        """What a student is whose type the recipe does not name; inherited layers are a dense model then."""
        from rankdistill.verbs.settings import type_of

        return type_of(self.recipe.student.model) if self.initial is None else "dense"

    @cached_property
    def _labels_elsewhere(self) -> dict[str, str]:
        return self.collection.labels_elsewhere(self.recipe.data.train)

    @property
    def initial_model(self) -> str:
        """Reference of the student before training."""
        return str(self.initial.folder) if self.initial else self.recipe.student.model

    def student(self, training: str) -> Step:
        """Trains one student, of those in `Recipe.trainings`."""
        config = self.recipe.train_config(training)
        settings: dict[str, Any] = {
            "train": config.decisive(self._type_of_model),
            "student": models.resolve(self.recipe.student.model).weights_hash,
        }
        form = self.recipe.student.form
        settings |= form
        start = self.before.start(training) if self.before is not None else None
        model = str(start.folder) if start is not None else self.initial_model
        needs = [self.scores, *present(start or self.initial)]
        given, first = self._of_first_stage(config)
        if first and self.before is not None:
            settings["first_stage"] = {"teachers": first, **self.before.vectors_identity}
            needs += present(self.before.embeddings)
        own = config.uses_in_batch_teacher and config.in_batch_teacher == SAME_TEACHER
        named = [*first, *(["in_batch_teacher"] if own else [])]
        settings |= in_batch_identity(config.model_copy(update=dict.fromkeys(named)))
        if own:
            settings["in_batch_teacher"] = self._of_scores
        settings |= self._labels_elsewhere
        settings["dev"] = self.collection.split_identity(self.recipe.data.dev) if self.recipe.data.dev else None

        def work(out: Path, reporter: Reporter) -> None:
            from rankdistill.verbs.train import train

            train(
                self.dataset,
                self.scores.folder,
                model,
                out,
                split=self.recipe.data.train,
                dev_split=self.recipe.data.dev,
                **form,
                config=given.model_copy(update={"in_batch_teacher": self._any_pair}) if own else given,
                progress=reporter,
                command=self.command,
            )

        return self.workspace.step(f"student-{slug(training)}", settings, needs, work)

    @cached_property
    def _of_scores(self) -> str | dict[str, Any]:
        """What identifies `in_batch_teacher: teacher` beside the stored scores.

        Raises:
            ConfigError: the teacher, or one that may be taken, has no scores of any pair; nothing was done yet.
        """
        in_batch.require(self.recipe.teacher)
        how = in_batch.loaded(self.recipe)
        return {"of the stored scores": how} if how else "of the stored scores"

    @property
    def _any_pair(self) -> str:
        """What `in_batch_teacher: teacher` stands for; where several are named, what chooses one must be done."""
        if self.choice is not None:
            return self.choice.in_batch()
        part = self.recipe.teacher
        return in_batch.reference(str(part.model), part, self.recipe.score, self.workspace.root)

    def _of_first_stage(self, config: TrainConfig) -> tuple[TrainConfig, list[str]]:
        """The settings with the vectors of the stage before where `embeddings` stands for them; and which these are."""
        asked = {"in_batch_teacher": config.uses_in_batch_teacher, "alignment_teacher": config.aligns}
        named = [name for name, used in asked.items() if used and getattr(config, name) == EMBEDDINGS]
        if self.before is None or not named:
            return config, []
        return config.model_copy(update=dict.fromkeys(named, str(self.before.vectors))), named

    @property
    def scores_from_vectors(self) -> bool:
        """Whether scoring looks up vectors of the stage before: the same scores, and no text is encoded again."""
        teacher, settings = self.teacher_model, self.teacher_settings()
        return self.before is not None and isinstance(teacher, str) and self.before.holds_vectors_of(teacher, settings)

    def index(self, training: str) -> Step:
        """Indexes the corpus with one trained student."""
        student = self.student(training)
        return self.index_with(
            slug(training), str(student.folder), [student], {}, self.recipe.train_config(training).type
        )

    @cached_property
    def initial_index(self) -> Step:
        """Indexes the corpus with the student before training, as it is done after."""
        settings = {"model": models.resolve(self.recipe.student.model).weights_hash}
        if self.collection.step is None:
            settings["data"] = self.dataset.fingerprint
        type_ = self.recipe.initial_type
        if type_ is not None:
            settings["type"] = type_
        needs = [*self.collection.needs, *present(self.initial)]
        return self.index_with("initial", self.initial_model, needs, settings, type_)

    def index_with(
        self,
        name: str,
        model: str,
        needs: list[Step],
        settings: Mapping[str, Any],
        type_: TypeName | None,
        embeddings: Path | None = None,
    ) -> Step:
        """Indexes the corpus with a model.

        Args:
            name: of the step.
            model: its reference.
            needs: the steps whose results are read.
            settings: what decides the result besides the recipe's `index`.
            type_: what the model is; None: what it looks like.
            embeddings: store of the model's vectors, which are not made again.
        """
        part = self.recipe.index

        def work(out: Path, reporter: Reporter) -> None:
            from rankdistill.verbs.index import index
            from rankdistill.verbs.settings import type_of

            # A bare masked language model may be a dense student or SPLADE; as training sees it, so is it indexed.
            is_dense = (type_ or type_of(model)) == "dense"
            index(
                self.dataset,
                model,
                out,
                recipe=part,
                kind="dense" if is_dense else "auto",
                embeddings=embeddings,
                progress=reporter,
                command=self.command,
            )

        settings = part.model_dump() | dict(settings)
        return self.workspace.step(f"index-{name}", settings, needs, work)

    @property
    def teacher_model(self) -> str | dict[str, Any]:
        """Reference of the teacher, or its settings; where several are named, what chooses one must be done."""
        if self.choice is not None:
            return self.choice.reference
        return self.recipe.teacher.model or str(self.teacher.folder if self.teacher else "")

    def teacher_settings(self) -> dict[str, Any]:
        """How the teacher is loaded; nothing of one that brings its settings."""
        part = self.recipe.score
        if not isinstance(self.teacher_model, str):
            return {}
        return {"kind": self.recipe.teacher.kind, "backend": part.backend, "max_length": part.max_length}

    def _mine(self, out: Path, reporter: Reporter) -> None:
        from rankdistill.verbs.mine import mine

        mine(
            self.dataset,
            out,
            split=self.recipe.data.train,
            **self.recipe.mine.model_dump(),
            progress=reporter,
            command=self.command,
        )

    def _teach(self, out: Path, reporter: Reporter) -> None:
        from rankdistill.verbs.teach import teach

        part = self.recipe.teacher
        teach(
            self.dataset,
            self.candidates.folder,
            part.base,
            out,
            split=self.recipe.data.train,
            dev_split=self.recipe.data.dev or "dev",
            dev_candidates=self.dev_candidates.folder if self.dev_candidates else None,
            config=part.teach,
            progress=reporter,
            command=self.command,
        )

    def _score(self, out: Path, reporter: Reporter) -> None:
        from rankdistill.verbs.score import score

        self._require_worth()
        part = self.recipe.score
        teacher, settings = self.teacher_model, self.teacher_settings()
        if self.before is not None and self.scores_from_vectors:
            teacher, settings = str(self.before.vectors), {}
        score(
            self.dataset,
            teacher,
            self.candidates.folder,
            out,
            unit_size=part.unit_size,
            min_fidelity=part.min_fidelity,
            **settings,
            progress=reporter,
            command=self.command,
        )

    def _require_worth(self) -> None:
        """Raise WorseTeacherError where the taught teacher is what students would learn from, and dev showed it worse.

        Here and not where it is taught, which is done then: the same recipe says so again, and goes on from here.
        """
        if self.teacher is None or not (self.choice is None or self.choice.is_taught):
            return
        from rankdistill.verbs.open import open as opened

        opened(self.teacher.folder).require(self.recipe.teacher.allow_worse)

    def _inherit(self, out: Path, reporter: Reporter) -> None:
        from rankdistill.verbs.inherit import inherit

        part, with_head = self.recipe.student, self.recipe.initial_type in SPARSE_TYPES
        inherit(part.model, part.keep_layers or [], out, with_head=with_head, progress=reporter)
