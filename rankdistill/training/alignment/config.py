"""Every setting of an alignment run, typed and described. Loads no torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from rankdistill.inference.prompts import Role
from rankdistill.names import ALIGNMENTS
from rankdistill.students.settings import StudentSettings
from rankdistill.training import settings
from rankdistill.training.settings import RunSettings

if TYPE_CHECKING:
    AlignmentName = str
else:
    AlignmentName = Literal[*ALIGNMENTS]

Weight = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Dimension = Annotated[int, Field(ge=1)]
Layer = Annotated[int, Field(ge=0)]

FEWEST_RELATED = 3
"""Texts of a batch that have relations to compare: with two, each has one other."""

STATIC_DEFAULTS = {"learning_rate": 1e-3, "weight_decay": 0.0}
"""Settings of a static student that were not given: a table learns at higher rates, and decay would shrink the rows of
tokens that a batch does not hold."""


class AlignConfig(RunSettings):
    """Settings of an alignment run; the same settings, store and student give the same student.

    The defaults are those of LEAF (arXiv 2509.12539): three cycles of ten passes, batches of 32, the rate falling
    linearly from 1e-4 to 1e-5 in each cycle.
    """

    loss: AlignmentName = Field(default="leaf", description="Objective on the embeddings of student and teacher.")
    extra: dict[AlignmentName, Weight] = Field(
        default_factory=dict, description="Further objectives that are added: name -> weight."
    )
    mixup: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="Weight of the same objectives on mixed pairs of texts; 0: none.",
    )
    mixup_alpha: float = Field(
        default=1.0,
        gt=0,
        allow_inf_nan=False,
        description="The weights of a mixed pair are drawn from Beta(alpha, alpha).",
    )
    matryoshka: tuple[Dimension, ...] = Field(
        default=(), description="Shorter dimensions on which the objectives count too; empty: only the whole vectors."
    )

    layers: dict[Layer, Layer] = Field(
        default_factory=dict,
        description="Layer of the student -> layer of the teacher, both from 0: which texts of a batch are alike there "
        "(by mean-pooled hidden states) is learned too. The teacher's model itself runs in every step then, and must "
        "be a transformer; empty: none.",
    )
    layers_weight: Weight = Field(default=1.0, description="Weight of each pair of layers beside the objectives.")

    cycles: int = Field(default=3, ge=1, description="Times that the learning rate starts anew at its peak.")
    epochs: float = Field(default=10.0, gt=0, description="Passes over the texts in one cycle, where `steps` is None.")
    learning_rate: float = Field(default=1e-4, gt=0, description="Peak learning rate of AdamW; static students: 1e-3.")
    final_share: float = Field(
        default=0.1, ge=0, le=1, description="Rate at the end of a cycle, as a share of the peak."
    )
    warmup: float = Field(
        default=0.0, ge=0, lt=1, description="Share of the first cycle in which the rate rises to its peak."
    )
    weight_decay: float = Field(
        default=0.01, ge=0, description="AdamW's decay, not on biases and norms; static students: 0."
    )

    query_share: float | None = Field(
        default=None, ge=0, le=1, description="Share of query-like texts in what is trained on; None: as in the store."
    )
    source_weights: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = Field(
        default_factory=dict,
        description="How often a source's texts are drawn, relative to its size: 2 twice as often as 1, 0 never, and "
        "then they prepare no student either.",
    )
    held_out: int = Field(
        default=500,
        ge=0,
        description="Texts of the store that are not trained on but compared with the teacher's vectors.",
    )

    eval_steps: int = Field(default=500, ge=1, description="Steps between evaluations and checkpoints.")
    patience: int | None = Field(
        default=None,
        ge=1,
        description="Stop after this many evaluations without a better asymmetric dev nDCG@10; None: never. Refused "
        "without a dev split.",
    )
    dev_documents: int = Field(
        default=2000,
        ge=1,
        description="Documents they are searched in: their positives and a sample of the corpus by hash.",
    )
    preparation: StudentSettings = Field(
        default=StudentSettings.model_validate({}), description="How the student is made before it is trained."
    )

    @model_validator(mode="after")
    def _can_relate(self) -> AlignConfig:
        if self.layers and self.batch_size < FEWEST_RELATED:
            raise ValueError(f"layers: relations need batches of {FEWEST_RELATED} texts or more")
        return self

    @property
    def without_effect(self) -> set[str]:
        """Settings that decide nothing as the others are; those of layers are such where none is named."""
        return super().without_effect | (set() if self.layers else {"layers", "layers_weight"})

    @property
    def limits(self) -> dict[Role, int | None]:
        """Kind of text -> tokens at most in training; None: the student's own limit."""
        return {"query": self.max_query_length, "document": self.max_document_length}

    def decisive(self, cuts: bool = True) -> dict[str, Any]:
        """The settings that decide the student, as JSON values.

        Students that were saved, or whose projection was fitted, with another length than they were trained with have
        another word, or none, for `lengths`, and are not these; nor are those without `prepared`, whose preparation
        read texts that are never drawn.

        Args:
            cuts: whether the student cuts texts; a token table does not.
        """
        saved = {}
        if cuts and (self.max_document_length or self.max_query_length):
            saved["lengths"] = "saved and fitted" if self.max_document_length else "fitted"
        leaves_out = 0 in self.source_weights.values() or self.query_share in (0, 1)
        drawn = {"prepared": "from what is drawn"} if leaves_out else {}
        return super().decisive() | saved | drawn | {"preparation": self.preparation.decisive()}

    def for_static(self) -> AlignConfig:
        """The same settings with the defaults of static students for those that were not given."""
        missing = {name: value for name, value in STATIC_DEFAULTS.items() if name not in self.model_fields_set}
        return self.model_copy(update=missing)


def read(path: Path | None, **overrides: object) -> AlignConfig:
    """The settings in a YAML file (or the defaults), with `overrides` on top; see `settings.read`."""
    return settings.read(AlignConfig, path, **overrides)
