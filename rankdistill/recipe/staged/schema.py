"""Every setting of an experiment that aligns a student first and then trains it on scores, typed. Loads no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from rankdistill.data.beir import TRAIN
from rankdistill.locations import home
from rankdistill.recipe.leaf.schema import STATIC, LeafTeacherPart, TextsPart
from rankdistill.recipe.parts import (
    SEEDS,
    LocalFolder,
    Part,
    Training,
    named,
    require_dev_beside_patience,
    require_names,
    trainings,
)
from rankdistill.recipe.scores.mining import MinePart
from rankdistill.recipe.scores.queries import QueriesPart
from rankdistill.recipe.scores.schema import (
    EMBEDDINGS,
    INITIAL,
    SYSTEMS,
    DataPart,
    EvaluatePart,
    Recipe,
    ScorePart,
    StudentPart,
    TeacherPart,
)
from rankdistill.verbs.settings import AlignConfig, IndexRecipe, TrainConfig

ALIGNED, SPACE = OWN_SYSTEMS = "alignment alone", "embedding teacher"
"""The systems that a run reports beside those of a recipe on scores."""


class SpacePart(LeafTeacherPart):
    """The teacher whose vectors the student learns first."""

    store: str | None = Field(
        None,
        description="A store of its vectors that `rankdistill embed` made, instead of embedding here; it must be of "
        "`model`, and the other settings of this part and `texts` are not used then.",
    )


class VariantPart(Part):
    """One student: which stage it starts from, and how its training differs from `train`."""

    start: Literal["aligned", "cut"] = Field(
        "aligned", description="The aligned student, or the cut one that was not aligned."
    )
    train: dict[str, Any] = Field(default_factory=dict, description="The settings in which it differs from `train`.")


class StagedEvaluatePart(EvaluatePart):
    """What is measured."""

    embedding_teacher: bool = Field(
        True, description=f"Report the {SPACE} too, which embeds the whole collection for it."
    )


class StagedRecipe(Part):
    """One experiment: vectors, an aligned student, candidates, scores, students that start from it, comparison."""

    kind: Literal["staged"] = Field(description="What students learn from.")
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="Names the run.")
    out: LocalFolder | None = Field(None, description="Folder of the run, on this machine; null: runs/<name>.")
    data: DataPart = DataPart.model_validate({})
    texts: TextsPart = TextsPart.model_validate({})
    space: SpacePart = SpacePart.model_validate({})
    student: StudentPart = StudentPart.model_validate({})
    align: AlignConfig = AlignConfig.model_validate({})
    queries: QueriesPart | None = Field(
        None, description="Make the training queries of the documents; null: the collection's own."
    )
    mine: MinePart = MinePart.model_validate({})
    teacher: TeacherPart = TeacherPart.model_validate({})
    score: ScorePart = ScorePart.model_validate({})
    train: TrainConfig = TrainConfig.model_validate({})
    variants: dict[str, VariantPart] = Field(
        {"staged": VariantPart.model_validate({})}, description="Students that are trained on scores, by name."
    )
    seeds: list[int] | None = Field(None, min_length=1, description=f"{SEEDS} Alignments have these seeds too.")
    baseline: str = Field(INITIAL, description="The system that the others are tested against.")
    index: IndexRecipe = IndexRecipe.model_validate({})
    evaluate: StagedEvaluatePart = StagedEvaluatePart.model_validate({})

    @model_validator(mode="after")
    def _is_whole(self) -> StagedRecipe:
        if self.student.model == STATIC:
            raise ValueError(f"student.model: a `{STATIC}` student is made by its alignment; start from a model")
        try:
            scored = self.of_scores
        except ValidationError as error:
            raise ValueError("; ".join(_told(problem) for problem in error.errors())) from error
        require_names("variants", [*SYSTEMS, *OWN_SYSTEMS, *named(self.variants, scored.trainings)])
        for name, part in self.variants.items():
            self._require_trainable(name, part, scored.train_config(name))
        if self.baseline not in (*SYSTEMS, *OWN_SYSTEMS, *self.variants):
            raise ValueError(
                f"baseline: {self.baseline!r} is no system of this run; name a variant, or one of "
                f"{', '.join([*SYSTEMS, *OWN_SYSTEMS])}"
            )
        patience = {name: self.align_config(name).patience for name in self.alignments}
        require_dev_beside_patience("align", patience, self.data.dev is not None)
        return self

    def _require_trainable(self, name: str, part: VariantPart, config: TrainConfig) -> None:
        if part.start == "aligned" and config.type not in (None, "dense"):
            raise ValueError(f"variants: {name} starts from the aligned student, which is dense, not {config.type}")
        if (
            EMBEDDINGS in (config.in_batch_teacher, config.alignment_teacher)
            and self.space.store is None
            and self.texts.limit is not None
        ):
            raise ValueError(
                f"texts.limit: {name} has the {EMBEDDINGS} as a teacher, which needs the vectors of all training "
                "queries and documents; leave limit out, and titles and sentences too where they are too many"
            )

    @property
    def embedded(self) -> TextsPart:
        """`texts`, with the queries that are trained on where it names no split and theirs is not the usual one."""
        if self.texts.query_split is not None or self.data.train == TRAIN:
            return self.texts
        return self.texts.model_copy(update={"query_split": self.data.train})

    @property
    def folder(self) -> Path:
        """Where the run writes."""
        return Path(home(self.out)) if self.out else Path("runs") / self.name

    @property
    def of_scores(self) -> Recipe:
        """The second stage as a recipe of its own, in the same folder."""
        shared = ("name", "out", "data", "queries", "mine", "teacher", "score", "student", "train", "seeds", "index")
        return Recipe.model_validate(
            {name: getattr(self, name) for name in shared}
            | {
                "kind": "scores",
                "variants": {name: part.train for name, part in self.variants.items()},
                "evaluate": {name: getattr(self.evaluate, name) for name in EvaluatePart.model_fields},
            }
        )

    @property
    def trainings(self) -> dict[str, Training]:
        """Name -> each training on scores: one a variant, or one a variant and seed."""
        return trainings(self.variants, self.seeds)

    @property
    def alignments(self) -> dict[str, Training]:
        """Name -> each alignment: one, or one a seed."""
        return trainings([ALIGNED], self.seeds)

    def align_config(self, alignment: str) -> AlignConfig:
        """The settings of one alignment; only what was given counts as given."""
        settings = self.align.model_dump(exclude_unset=True)
        seed = self.alignments[alignment].seed
        if seed is not None:
            settings |= {"seed": seed}
        if form := self.student.model_dump(include={"keep_layers", *self.student.form}, exclude_none=True):
            settings["preparation"] = settings.get("preparation", {}) | form
        return AlignConfig.model_validate(settings)

    def train_config(self, training: str) -> TrainConfig:
        """The settings of one training on scores, or of a variant with the seed of `train`."""
        return self.of_scores.train_config(training)


def _told(problem: Any) -> str:
    place = ".".join(map(str, problem["loc"]))
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{place}: {message}" if place else message
