"""Every setting of a training run on scores, typed and described. Loads no torch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ModelWrapValidatorHandler, model_validator

from rankdistill.names import ALIASES, LOSSES, REGULARISERS, STUDENTS, has_in_batch_form, listed
from rankdistill.training import settings
from rankdistill.training.false_negatives import FalseNegativeFilters
from rankdistill.training.settings import RunSettings

if TYPE_CHECKING:
    TypeName = str
    LossName = str
    RegulariserName = str
else:
    TypeName = Literal[*STUDENTS]
    LossName = Annotated[
        Literal[*LOSSES],
        BeforeValidator(lambda name: ALIASES.get(name, name) if isinstance(name, str) else name),
    ]
    RegulariserName = Literal["none", *REGULARISERS]

SPARSE_TYPES: tuple[TypeName, ...] = tuple(name for name, kind in STUDENTS.items() if kind.sparse)
"""Types whose vectors are over a vocabulary."""

WITH_TOWER: tuple[TypeName, ...] = ("dense", "splade")
"""Types whose queries can be trained against documents that another model embedded."""

SCORE_PAIRS: tuple[TypeName, ...] = tuple(name for name, kind in STUDENTS.items() if kind.pairs)
"""Types that score a query with documents of its own only."""

RegulariserSchedule = Literal["quadratic", "linear"]
QueryWeights = Literal["idf", "learned"]
Sampling = Literal["uniform", "stratified"]
Unlabelled = Literal["skip", "top"]
FewNegatives = Literal["skip", "repeat"]
Missing = Literal["error", "drop"]
UnscoredPositives = Literal["error", "maximum"]
Check = Literal["off", "warn", "refuse"]
Contrasted = Literal["batch", "own"]
Schedule = Literal["linear", "cosine", "constant"]
Reference = Annotated[str, BeforeValidator(lambda one: os.fspath(one) if isinstance(one, os.PathLike) else one)]
Scale = Literal["auto", "learned", "fitted"] | Annotated[float, Field(gt=0, allow_inf_nan=False)]


SILENT = (
    "select",
    "alignment_weight",
    "in_batch_min_margin",
    "contrastive_candidates",
    "topics",
    "gradient_cache",
    "positives_without_score",
    "auxiliary_head_weight",
    "token_relations_weight",
)
"""Settings that decide nothing while they have their default; a student from before they were there is the same."""


class TrainConfig(RunSettings):
    """Settings of a training run on stored scores; the same settings, data and student give the same student."""

    type: TypeName | None = Field(
        default=None, description="What the student is; None: what the model to start from is."
    )
    loss: LossName = Field(
        default="margin_mse",
        description="Objective (`kl` is `kl_div`); `contrastive` ignores the teacher (the baseline).",
    )
    kl_weight: float = Field(
        default=1.0, ge=0, description="Weight of the KL divergence in splade_v3, sinkd and disco (.99)."
    )
    margin_weight: float = Field(default=0.05, ge=0, description="Weight of Margin-MSE in splade_v3.")
    sinkhorn_weight: float = Field(default=0.03, ge=0, description="Weight of the Sinkhorn distance in sinkd.")
    contrastive_weight: float = Field(
        default=0.0,
        ge=0,
        description="Weight of an in-batch contrastive term added to a distillation loss; 0: none (disco: .01).",
    )
    contrastive_candidates: Contrasted = Field(
        default="batch",
        description="What a contrastive term compares the positive with: the documents of the whole batch, or the "
        "query's own candidates alone.",
    )
    in_batch_teacher: Reference | None = Field(
        default=None,
        description="Teacher of the pairs that the batch makes by chance, each query with the other queries' "
        "documents: a store made by `rankdistill embed`, or a dense, sparse or multi-vector model, which then encodes "
        "the texts of the run once; None: only the stored pairs are compared.",
    )
    in_batch_weight: float = Field(
        default=0.75,
        ge=0,
        description="Weight of the loss over the whole batch, beside that over the stored pairs, where there is an "
        "in_batch_teacher; contrastive training has none.",
    )
    in_batch_min_margin: float | None = Field(
        default=None,
        ge=0,
        description="Contrastive terms leave out documents (likely false negatives) that the in_batch_teacher puts "
        "less than this far below the row's positive, in its own unit; None: keep all.",
    )
    topics: int | None = Field(
        default=None,
        ge=2,
        description="Make each batch of queries of one topic, out of this many clusters of the in_batch_teacher's "
        "query vectors; None: of any.",
    )
    alignment_weight: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="Weight of the squared distance to the alignment_teacher's vectors of the batch's texts, which "
        "keeps an aligned student in that teacher's space; 0: none.",
    )
    alignment_teacher: Reference | None = Field(
        default=None,
        description="Whose vectors these are: a store made by `rankdistill embed`, or a dense model; None: the "
        "in_batch_teacher's.",
    )
    auxiliary_head_weight: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="With `loss: contrastive` and a dense student, dual heads: weight of the KL divergence between the "
        "teacher's scores and those of an auxiliary head, which is left out of the student; 0: one head.",
    )
    token_relations_weight: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="Of a multi-vector student: weight of the divergence between its tokens' neighbours in a batch and "
        "the token_teacher's (token relational graphs); 0: none.",
    )
    token_teacher: Reference | None = Field(
        default=None,
        description="Whose tokens these are: a multi-vector model, or another encoder's last layer, that cuts texts "
        "into the same tokens.",
    )
    document_tower: Reference | None = Field(
        default=None,
        description="Train the query side alone, against documents that stay as this model or store (made by "
        "`rankdistill embed`) embeds them, once; its index is searched with the student. None: documents are trained "
        "too.",
    )
    scale: Scale = Field(
        default="auto",
        description="Factor from the student's similarity to the teacher's unit: a number, `learned` (starts at the "
        "ratio of the teacher's to the student's margin deviation), `fitted` (stays at that ratio), or `auto`: learned "
        "for bounded similarities, fitted for term weights, else with Margin-MSE fitted to student margins that "
        "deviate by 1 or more, and 1 with a KL divergence.",
    )
    scale_learning_rate: float = Field(default=1e-2, gt=0, description="Learning rate of a learned scale's logarithm.")
    contrastive_scale: float | None = Field(
        default=None,
        gt=0,
        description="Inverse temperature of contrastive terms; None: 20 for scores in [-1, 1] (cosine, MeanMaxSim), "
        "else 1.",
    )
    student_temperature: float = Field(
        default=1.0, gt=0, description="Softmax temperature of the student in KL terms, in the teacher's unit."
    )
    teacher_temperature: float = Field(
        default=1.0, gt=0, description="Softmax temperature of the teacher in KL terms, in its unit."
    )

    query_regulariser: RegulariserName | None = Field(
        default=None, description="What makes the term weights of queries sparse; None: the type's own choice."
    )
    query_regulariser_weight: float | None = Field(
        default=None,
        ge=0,
        description="Its weight; None: that of the loss (Margin-MSE .1, KL .005, contrastive .0003).",
    )
    document_regulariser: RegulariserName | None = Field(
        default=None, description="What makes the term weights of documents sparse; None: the type's own choice."
    )
    document_regulariser_weight: float | None = Field(
        default=None,
        ge=0,
        description="Its weight; None: that of the loss (Margin-MSE .08, KL .005, contrastive .0001; 16 times that for "
        "idf_flops).",
    )
    regulariser_threshold: int = Field(
        default=200, ge=0, description="Active terms up to which l0_flops leaves a text alone."
    )
    regulariser_warmup: float = Field(
        default=1 / 3, ge=0, le=1, description="Share of the steps in which the regularisers' weights rise from 0."
    )
    regulariser_schedule: RegulariserSchedule = Field(default="quadratic", description="How they rise.")
    query_weights: QueryWeights = Field(
        default="learned", description="Token weights of inference-free queries: idf, or learned, starting from it."
    )
    query_weights_learning_rate: float = Field(
        default=1e-3, gt=0, description="Learning rate of learned token weights."
    )
    new_head: bool = Field(
        default=False,
        description="Give an encoder without a vocabulary head a new one (tied embeddings) for sparse types.",
    )
    token_dimension: int = Field(default=128, ge=1, description="Dimension of a new multi-vector projection.")
    pair_width: int = Field(default=512, ge=1, description="Hidden units of a new pair head.")

    negatives: int = Field(default=4, ge=1, description="Negatives a row.")
    sampling: Sampling = Field(
        default="stratified",
        description="How negatives are drawn: uniformly, or over 10 equal-width teacher-margin bins.",
    )
    unlabelled: Unlabelled = Field(
        default="skip",
        description="Queries without a labelled positive: skipped, or the teacher's top document is declared it.",
    )
    few_negatives: FewNegatives = Field(
        default="skip", description="Queries with fewer candidates than negatives: skipped, or candidates are repeated."
    )
    missing: Missing = Field(
        default="error", description="Candidates without a teacher score: an error, or dropped and counted."
    )
    positives_without_score: UnscoredPositives = Field(
        default="error",
        description="Labelled positives without a teacher score, as a run cut at a rank leaves them: as any candidate "
        "without one (`error`), or given the highest score that the teacher gives to a candidate of the query "
        "(`maximum`).",
    )
    negative_sources: list[str] | None = Field(
        default=None, min_length=1, description="Only candidates of these sources are negatives; None: of all."
    )
    min_margin: float | None = Field(
        default=None,
        description="Drop negatives (likely false) that the teacher puts less than this far below the positive, in the "
        "teacher's unit; None: keep all.",
    )
    max_negative_score: float | None = Field(
        default=None, description="Drop negatives that the teacher scores above this, in its unit; None: keep all."
    )
    max_negative_share: float | None = Field(
        default=None,
        gt=0,
        description="Drop negatives that the teacher scores above this share of the positive's score, as 0.95; only "
        "for teachers whose positives score above 0.",
    )
    max_negative_percentile: float | None = Field(
        default=None,
        ge=0,
        le=100,
        description="Drop negatives that the teacher scores above this percentile of all positives' scores.",
    )
    check: Check = Field(
        default="refuse",
        description="Scores that `rankdistill check` fails: refused; trained on, with the verdicts in the log (warn); "
        "or not looked at (off).",
    )

    epochs: float = Field(
        default=1.0, gt=0, description="Passes over the (query, positive) rows, where `steps` is None."
    )
    learning_rate: float = Field(default=5e-5, gt=0, description="Peak learning rate of AdamW.")
    warmup: float = Field(
        default=0.06, ge=0, lt=1, description="Share of the steps in which the rate rises to its peak."
    )
    schedule: Schedule = Field(default="linear", description="How the rate falls after the warm-up.")
    gradient_cache: int | None = Field(
        default=None,
        ge=1,
        description="Embed at most this many texts at a time and keep no activations: they are computed again for the "
        "gradient, so that memory does not grow with the batch; None: keep them, which is faster.",
    )

    @model_validator(mode="wrap")
    @classmethod
    def _settings_of_the_loss(cls, given: Any, handler: ModelWrapValidatorHandler[TrainConfig]) -> TrainConfig:
        """Those that the loss was published with, where they are not given; they go with it, so they count as unset."""
        loss = given.get("loss") if isinstance(given, dict) else None
        published = LOSSES.get(ALIASES.get(loss, loss)) if isinstance(loss, str) else None
        if published is None or not published.settings:
            return handler(given)
        made = handler({**published.settings, **given})
        made.__pydantic_fields_set__.difference_update(published.settings.keys() - given.keys())
        return made

    @model_validator(mode="after")
    def _loss_has_weight(self) -> TrainConfig:
        weights = set(LOSSES[self.loss].parts.values()) | ({"kl_weight"} & LOSSES[self.loss].settings.keys())
        if weights and not any(getattr(self, name) for name in weights):
            raise ValueError(
                f"{listed(sorted(weights))}: with 0 the loss {self.loss} learns nothing of the teacher; raise one, or "
                "set loss to contrastive, which learns from labels alone"
            )
        return self

    @model_validator(mode="after")
    def _tower_can_be_used(self) -> TrainConfig:
        if self.document_tower is None:
            return self
        if self.type not in (None, *WITH_TOWER):
            raise ValueError(f"document_tower: a student that is {listed(WITH_TOWER)} can have one, not a {self.type}")
        if self.document_regulariser not in (None, "none") or self.document_regulariser_weight:
            raise ValueError("document_regulariser: the documents of a document_tower are not trained; leave it out")
        if self.aligns:
            raise ValueError("alignment_weight: a student beside a document_tower is compared with its documents only")
        return self

    @model_validator(mode="after")
    def _can_be_aligned(self) -> TrainConfig:
        if not self.aligns:
            if self.alignment_teacher is not None:
                raise ValueError("alignment_teacher: its vectors count by the alignment_weight; give one")
            return self
        if self.alignment_teacher is None and self.in_batch_teacher is None:
            raise ValueError("alignment_weight: name the alignment_teacher, or an in_batch_teacher that has vectors")
        if self.type not in (None, "dense"):
            raise ValueError(
                f"alignment_weight: a {self.type} student has no vector in a teacher's space; leave it out"
            )
        return self

    @model_validator(mode="after")
    def _two_heads_can_be_used(self) -> TrainConfig:
        if not self.has_two_heads:
            return self
        if not LOSSES[self.loss].labels:
            raise ValueError(
                f"auxiliary_head_weight: the head that is kept learns from labels, and {self.loss} is of the teacher: "
                "set loss to contrastive"
            )
        if self.type not in (None, "dense"):
            raise ValueError(f"auxiliary_head_weight: a {self.type} student has no vector of a text; leave it out")
        return self

    @model_validator(mode="after")
    def _tokens_can_be_compared(self) -> TrainConfig:
        if self.compares_tokens and self.token_teacher is None:
            raise ValueError("token_relations_weight: name the token_teacher, whose tokens they are compared with")
        if self.token_teacher is not None and not self.compares_tokens:
            raise ValueError("token_teacher: its tokens count by the token_relations_weight; give one")
        if self.compares_tokens and self.type not in (None, "multi-vector"):
            raise ValueError(f"token_relations_weight: of a {self.type} student no token vector is used; leave it out")
        return self

    @model_validator(mode="after")
    def _in_batch_teacher_can_be_used(self) -> TrainConfig:
        if self.in_batch_teacher is None:
            for name in ("in_batch_min_margin", "topics"):
                if getattr(self, name) is not None:
                    raise ValueError(f"{name}: it goes by the scores of an in_batch_teacher; name one")
            return self
        if self.type in SCORE_PAIRS:
            raise ValueError(
                f"in_batch_teacher: a {self.type} student reads each query with documents of its own; leave it out"
            )
        if self.compares_batches and not has_in_batch_form(self.loss):
            raise ValueError(
                f"in_batch_teacher: {self.loss} has no form over the whole batch; set in_batch_weight to 0"
            )
        if self.compares_batches and self.compares_margins and self.batch_size < 2:
            raise ValueError("in_batch_teacher: a batch_size of 1 has no other queries' documents; set 2 or more")
        return self

    @property
    def compares_batches(self) -> bool:
        """Whether the loss goes over the documents of the whole batch too, by the in-batch teacher's scores."""
        return self.in_batch_teacher is not None and self.in_batch_weight > 0 and not LOSSES[self.loss].labels

    @property
    def scores_batches(self) -> bool:
        """Whether the in-batch teacher's scores of each batch are read: by the loss, or against false negatives."""
        return self.compares_batches or (self.contrasts and self.in_batch_min_margin is not None)

    @property
    def uses_in_batch_teacher(self) -> bool:
        """Whether the in-batch teacher that is named decides anything: contrastive training alone needs none."""
        aligns = self.aligns and self.alignment_teacher is None
        return self.scores_batches or self.topics is not None or aligns

    @property
    def aligns(self) -> bool:
        """Whether the student's vectors are held near to a teacher's."""
        return self.alignment_weight > 0

    @property
    def filters(self) -> FalseNegativeFilters:
        """Which negatives are likely false."""
        return FalseNegativeFilters(
            self.max_negative_score, self.min_margin, self.max_negative_share, self.max_negative_percentile
        )

    @property
    def learns_from_labels(self) -> bool:
        """Whether the loss reads labels alone, and no teacher's score."""
        return LOSSES[self.loss].labels and not self.has_two_heads

    @property
    def has_two_heads(self) -> bool:
        """Whether an auxiliary head learns from the teacher beside one that learns from labels."""
        return self.auxiliary_head_weight > 0

    @property
    def compares_tokens(self) -> bool:
        """Whether a teacher runs over the batch, whose tokens' relations the student's are compared with."""
        return self.token_relations_weight > 0

    @property
    def terms(self) -> dict[LossName, float]:
        """Loss -> its weight in the sum that `loss` is; most are no sum."""
        parts = LOSSES[self.loss].parts
        return {name: getattr(self, setting) for name, setting in parts.items()} or {self.loss: 1.0}

    @property
    def compares_margins(self) -> bool:
        """Whether the loss compares margins, in units of their deviation; splade_v3 without its margins is a KL."""
        return any(LOSSES[name].margins and weight > 0 for name, weight in self.terms.items())

    @property
    def contrasts(self) -> bool:
        """Whether the loss has a contrastive term."""
        return LOSSES[self.loss].labels or self.contrastive_weight > 0

    def decisive(self, of_model: TypeName | None = None) -> dict[str, Any]:
        """The settings that decide the student, as JSON values: all but `check`, which decides whether there is one.

        Students whose loss was computed in the teacher's unit itself have no `margin_unit`, those that were saved with
        other lengths than they were trained with no `lengths`, those that had labelled positives among their negatives
        no `negatives_in_batch`, those that had one regulariser weight for every loss no `regulariser_weights`, and are
        not these. Settings that came later are left out while they decide nothing. Where the in-batch teacher, the
        alignment's and the document tower lie decides nothing either: what they are stands among a run's inputs.

        Args:
            of_model: what the student is where `type` does not say it.
        """
        type_ = self.type or of_model
        unit = {"margin_unit": "deviation"} if self.compares_margins else {}
        keeps = self.max_document_length or (self.max_query_length and type_ == "multi-vector")
        silent = {name for name in SILENT if getattr(self, name) == type(self).model_fields[name].default}
        silent |= {"in_batch_teacher", "alignment_teacher", "document_tower", "token_teacher"} | (
            set() if self.compares_batches else {"in_batch_weight"}
        )
        silent |= set() if self.contrasts else {"in_batch_min_margin", "contrastive_candidates"}
        silent |= {"sinkhorn_weight"} - set(LOSSES[self.loss].parts.values())
        left_out = {"check", *silent, *self.without_effect, *settings.TELLING}
        found = self.model_dump(exclude=left_out) | unit | ({"lengths": "saved"} if keeps else {})
        if LOSSES[self.loss].labels and "contrastive_weight" in found:  # it is contrastive: nothing stands beside it
            found["contrastive_weight"] = type(self).model_fields["contrastive_weight"].default
        if self.contrasts and type_ not in SCORE_PAIRS:
            found["negatives_in_batch"] = "unlabelled"
        weights = (self.query_regulariser_weight, self.document_regulariser_weight)
        if type_ in SPARSE_TYPES and None in weights:
            found["regulariser_weights"] = "of the loss"
        return found


def read(path: Path | None, **overrides: object) -> TrainConfig:
    """The settings in a YAML file (or the defaults), with `overrides` on top; see `settings.read`."""
    return settings.read(TrainConfig, path, **overrides)
