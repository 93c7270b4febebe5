"""From a recipe on embeddings to its steps: what each reads, what decides its result, and the call that does it.

Evaluation is in `rankdistill.recipe.leaf.systems`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rankdistill import models
from rankdistill.progress import Reporter
from rankdistill.recipe.collection import Collection
from rankdistill.recipe.leaf.schema import STATIC, LeafRecipe
from rankdistill.recipe.parts import slug
from rankdistill.recipe.steps import Step, Workspace, present


@dataclass(frozen=True)
class LeafExperiment:
    """The steps of a recipe on embeddings.

    Args:
        recipe: the experiment.
        command: the command line, for manifests.
    """

    recipe: LeafRecipe
    command: str = ""

    @cached_property
    def workspace(self) -> Workspace:
        """The run's folder, in which the steps lie."""
        return Workspace(self.recipe.folder, self.command)

    @cached_property
    def collections(self) -> dict[str, Collection]:
        """The collections by name."""
        return {name: Collection(part, self.workspace, f"data-{slug(name)}") for name, part in self.recipe.data.items()}

    @cached_property
    def steps(self) -> list[Step]:
        """Every step up to the indexes, each after those it needs."""
        steps = [step for collection in self.collections.values() for step in collection.needs]
        steps.append(self.embeddings)
        starts = list(dict.fromkeys(self.recipe.starts.values()))
        steps += [step for name in starts for step in present(self.initial(name))]
        for name in self.recipe.trainings:
            steps.append(self.student(name))
        if self.recipe.bundle.make:
            steps += [self.bundle(name) for name in self.bundled]
        for collection in self.tested:
            steps.append(self.teacher_index(collection))
            steps += [self.initial_index(collection, name) for name in starts]
            steps += [self.student_index(collection, name) for name in self.recipe.trainings]
        return steps

    @property
    def tested(self) -> list[str]:
        """Names of the collections with a test split."""
        return list(dict.fromkeys(name for name, _ in self.recipe.tests))

    @property
    def bundled(self) -> list[str]:
        """The trainings that become bundles: the first of each student."""
        first: dict[str, str] = {}
        for name, training in self.recipe.trainings.items():
            first.setdefault(training.variant, name)
        return list(first.values())

    @property
    def embedded(self) -> list[Collection]:
        """The collections whose texts are embedded."""
        return [self.collections[name] for name, part in self.recipe.data.items() if part.embed]

    @property
    def judged(self) -> list[Collection]:
        """The collections that are evaluated on only: no text may say the same as one of their queries."""
        return [self.collections[name] for name, part in self.recipe.data.items() if not part.embed]

    @property
    def teacher_hash(self) -> str:
        """Hash of the teacher's weights."""
        return models.resolve(self.recipe.teacher.model).weights_hash

    @cached_property
    def embeddings(self) -> Step:
        """Embeds the texts with the teacher."""
        from rankdistill.verbs.settings import text_file

        files = [text_file(words) for words in self.recipe.texts.files]
        settings = {
            "texts": self.recipe.texts.decisive(),
            "files": [[file.kind, file.fingerprint] for file in files],
            "teacher": self.recipe.teacher.model_dump(exclude={"model"}) | {"hash": self.teacher_hash},
            "data": [collection.identity() for collection in self.embedded],
            "judged": [collection.identity() for collection in self.judged],
        }
        needs = [step for collection in self.collections.values() for step in collection.needs]
        return self.workspace.step("embeddings", settings, needs, self._embed)

    def initial(self, student: str) -> Step | None:
        """A student before training: a cut model, or a table of tokens that was not fitted; None: the model as it is.

        Args:
            student: its name in the recipe.
        """
        from rankdistill.verbs.settings import is_static

        part, settings = self.recipe.students[student], self.recipe.train_config(student).preparation
        if part.model == STATIC:
            known = settings.decisive()
            described = {"static": known["static"], "vocabulary": settings.vocabulary}
            return self.workspace.step(
                f"initial-{slug(student)}", described, [self.embeddings], self._unfitted(student)
            )
        layers = settings.keep_layers
        if layers is None or isinstance(layers, str) or is_static(part.model):
            return None

        def work(out: Path, reporter: Reporter) -> None:
            from rankdistill.verbs.inherit import inherit

            inherit(part.model, layers, out, progress=reporter)

        described = {"model": models.resolve(part.model).weights_hash, "keep_layers": list(layers)}
        return self.workspace.step(f"initial-{slug(student)}", described, [], work)

    def initial_model(self, student: str) -> str:
        """Reference of a student before training."""
        step = self.initial(student)
        return str(step.folder) if step else self.recipe.students[student].model

    def initial_index(self, data: str, student: str) -> Step:
        """Indexes a collection with a student before training."""
        step, model = self.initial(student), self.initial_model(student)
        known = {} if step else {"model": models.resolve(model).weights_hash}
        return self._index(data, f"{slug(student)}-before-training", model, present(step), known)

    def student(self, name: str) -> Step:
        """Trains one student, of those in `LeafRecipe.trainings`."""
        from rankdistill.verbs.settings import is_static

        part = self.recipe.students[self.recipe.trainings[name].variant]
        config = self.recipe.train_config(name)
        watched = {data: self.collections[data] for data, one in self.recipe.data.items() if one.dev}
        settings = {
            "train": config.decisive(not is_static(part.model)),
            "student": STATIC if part.model == STATIC else models.resolve(part.model).weights_hash,
            "dev": {data: found.split_identity(self.recipe.data[data].dev or "") for data, found in watched.items()},
        }
        needs = [self.embeddings, *(step for collection in watched.values() for step in collection.needs)]

        def work(out: Path, reporter: Reporter) -> None:
            from rankdistill.verbs.train import train

            train(
                [found.dataset for found in watched.values()],
                self.embeddings.folder,
                part.model,
                out,
                dev_split=[self.recipe.data[data].dev or "" for data in watched],
                config=config,
                progress=reporter,
                command=self.command,
            )

        return self.workspace.step(f"student-{slug(name)}", settings, needs, work)

    def bundle(self, name: str) -> Step:
        """Packs one student with its teacher."""
        student = self.student(name)
        settings = self.recipe.bundle.model_dump(exclude={"make"}) | {"teacher": self.teacher_hash}

        def work(out: Path, reporter: Reporter) -> None:
            from rankdistill.verbs.bundle import bundle

            bundle(
                student.folder,
                self.recipe.teacher.model,
                out,
                **self.recipe.bundle.model_dump(exclude={"make"}),
                progress=reporter,
                command=self.command,
            )

        return self.workspace.step(f"bundle-{slug(name)}", settings, [student], work)

    def teacher_index(self, data: str) -> Step:
        """Indexes a collection with the teacher: what students search in asymmetric mode."""
        return self._index(data, "teacher", self.recipe.teacher.model, [], {"model": self.teacher_hash})

    def student_index(self, data: str, name: str) -> Step:
        """Indexes a collection with a student: what it searches in standard mode."""
        student = self.student(name)
        return self._index(data, slug(name), str(student.folder), [student], {})

    def _index(self, data: str, tower: str, model: str, needs: list[Step], settings: dict[str, Any]) -> Step:
        collection, part = self.collections[data], self.recipe.index

        def work(out: Path, reporter: Reporter) -> None:
            from rankdistill.verbs.index import index

            index(collection.dataset, model, out, recipe=part, progress=reporter, command=self.command)

        known = part.model_dump() | collection.identity() | settings
        steps = [*collection.needs, *needs]
        name = f"index-{slug(data)}-{tower}"
        return self.workspace.step(name, known, steps, work)

    def _unfitted(self, student: str) -> Callable[[Path, Reporter], None]:
        settings = self.recipe.train_config(student).preparation

        def work(out: Path, reporter: Reporter) -> None:
            from rankdistill.verbs.token_table import token_table

            token_table(self.embeddings.folder, out, settings=settings, progress=reporter, command=self.command)

        return work

    def _embed(self, out: Path, reporter: Reporter) -> None:
        from rankdistill.verbs.embed import embed
        from rankdistill.verbs.settings import UNIT_SIZE

        part, teacher = self.recipe.texts, self.recipe.teacher
        embed(
            [collection.dataset for collection in self.embedded],
            teacher.model,
            out,
            texts=part.files,
            unit_size=UNIT_SIZE,
            **part.model_dump(exclude={"files"}),
            **teacher.model_dump(exclude={"model"}),
            judged=[collection.dataset for collection in self.judged],
            progress=reporter,
            command=self.command,
        )
