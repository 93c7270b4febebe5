"""From a recipe of two stages to its steps: what each reads, what decides its result, and the call that does it.

Evaluation is in `rankdistill.recipe.staged.systems`; the steps of the second stage are those of a recipe on scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rankdistill import models
from rankdistill.errors import SpaceMismatchError
from rankdistill.locations import location
from rankdistill.progress import Reporter
from rankdistill.recipe.parts import slug
from rankdistill.recipe.scores.experiment import Experiment
from rankdistill.recipe.staged.schema import StagedRecipe
from rankdistill.recipe.steps import Step, present


@dataclass(frozen=True)
class StagedExperiment:
    """The steps of a recipe of two stages.

    Args:
        recipe: the experiment.
        command: the command line, for manifests.
    """

    recipe: StagedRecipe
    command: str = ""

    @cached_property
    def scored(self) -> Experiment:
        """The second stage, whose students start where this one says."""
        return Experiment(self.recipe.of_scores, self.command, self)

    @cached_property
    def steps(self) -> list[Step]:
        """Every step up to the indexes, each after those it needs."""
        alignments = list(self.recipe.alignments)
        first = [*self.scored.collection.needs, *present(self.embeddings), *map(self.aligned, alignments)]
        indexes = [self.aligned_index(name) for name in alignments]
        if self.recipe.evaluate.embedding_teacher:
            indexes.append(self.teacher_index)
        return list({step.name: step for step in [*first, *indexes, *self.scored.steps]}.values())

    @property
    def teacher_hash(self) -> str:
        """Hash of the weights of the teacher of the vectors."""
        return models.resolve(self.recipe.space.model).weights_hash

    @cached_property
    def embeddings(self) -> Step | None:
        """Embeds the texts with the teacher; None where the recipe names a store."""
        if self.recipe.space.store is not None:
            return None
        from rankdistill.verbs.settings import text_file

        files = [text_file(words) for words in self.recipe.texts.files]
        collection = self.scored.collection
        settings = {
            "texts": self.recipe.embedded.model_dump(exclude={"files"}),
            "files": [[file.kind, file.fingerprint] for file in files],
            "teacher": self.recipe.space.model_dump(exclude={"model", "store"}) | {"hash": self.teacher_hash},
            "data": collection.identity(),
        }
        return self.scored.workspace.step("embeddings", settings, collection.needs, self._embed)

    @property
    def vectors(self) -> Path:
        """The store of the teacher's vectors."""
        return self.embeddings.folder if self.embeddings is not None else location(self.recipe.space.store or "")

    @cached_property
    def vectors_identity(self) -> dict[str, Any]:
        """What identifies a store that the recipe names; empty where a step makes it, which says it all.

        Raises:
            DataError: there is no finished store.
            SpaceMismatchError: it is of another teacher than the recipe says.
        """
        if self.embeddings is not None:
            return {}
        from rankdistill.verbs.arguments import embedding_store_of

        store = embedding_store_of(self.vectors)
        if store.space.document_tower != self.teacher_hash:
            raise SpaceMismatchError(
                expected=f"a store of the vectors of {self.recipe.space.model}, as space.model says",
                got=f"{self.vectors}: vectors of {models.name_of(store.reference)}, which has other weights",
                consequence="nothing was run: the student would be aligned to another space",
                remedy="name that store's teacher as space.model, or leave space.store out: the recipe embeds then",
            )
        return {"store": store.identity}

    def holds_vectors_of(self, model: str, settings: Mapping[str, Any]) -> bool:
        """Whether the vectors, unrounded, are those of this teacher, loaded with these settings."""
        part = self.recipe.space
        if (
            self.embeddings is None
            or part.dtype != "float32"
            or (part.query_prompt, part.document_prompt) != (None,) * 2
        ):
            return False
        same = all(settings[name] == getattr(part, name) for name in ("backend", "max_length"))
        return (
            same
            and settings["kind"] in ("auto", "embedding")
            and models.resolve(model).weights_hash == self.teacher_hash
        )

    def aligned(self, alignment: str) -> Step:
        """Aligns the cut student to the vectors, in one of `StagedRecipe.alignments`."""
        config, data = self.recipe.align_config(alignment), self.recipe.data
        collection = self.scored.collection
        settings = {
            "train": config.decisive(),
            "student": models.resolve(self.recipe.student.model).weights_hash,
            "dev": collection.split_identity(data.dev) if data.dev else None,
            **self.vectors_identity,
        }

        def work(out: Path, reporter: Reporter) -> None:
            from rankdistill.verbs.train import train

            train(
                [self.scored.dataset] if data.dev else None,
                self.vectors,
                self.recipe.student.model,
                out,
                dev_split=[data.dev] if data.dev else None,
                config=config,
                progress=reporter,
                command=self.command,
            )

        name = slug(alignment).replace("alignment-alone", "aligned")
        return self.scored.workspace.step(name, settings, [*collection.needs, *present(self.embeddings)], work)

    def start(self, training: str) -> Step | None:
        """The step that makes what one training on scores starts from; None: the student before training."""
        found = self.recipe.trainings[training]
        if self.recipe.variants[found.variant].start == "cut":
            return None
        return next(self.aligned(name) for name, one in self.recipe.alignments.items() if one.seed == found.seed)

    def aligned_index(self, alignment: str) -> Step:
        """Indexes the corpus with an aligned student."""
        step, collection = self.aligned(alignment), self.scored.collection
        settings = {"data": self.scored.dataset.fingerprint} if collection.step is None else {}
        return self.scored.index_with(step.name, str(step.folder), [step], settings, "dense")

    @cached_property
    def teacher_index(self) -> Step:
        """Indexes the corpus with the teacher of the vectors, which are looked up where they are plainly its own."""
        collection = self.scored.collection
        plain = {"kind": "embedding", "backend": "auto", "max_length": None}
        held = self.vectors if self.holds_vectors_of(self.recipe.space.model, plain) else None
        settings = {"model": self.teacher_hash}
        if collection.step is None:
            settings["data"] = self.scored.dataset.fingerprint
        return self.scored.index_with("space", self.recipe.space.model, collection.needs, settings, "dense", held)

    def _embed(self, out: Path, reporter: Reporter) -> None:
        from rankdistill.verbs.embed import embed
        from rankdistill.verbs.settings import UNIT_SIZE

        part, teacher = self.recipe.embedded, self.recipe.space
        embed(
            [self.scored.dataset],
            teacher.model,
            out,
            texts=part.files,
            unit_size=UNIT_SIZE,
            **part.model_dump(exclude={"files"}),
            **teacher.model_dump(exclude={"model", "store"}),
            progress=reporter,
            command=self.command,
        )
