"""The only place where a loss, a student and a batch meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from functools import partial
from inspect import signature
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from rankdistill import names
from rankdistill.errors import ConfigError
from rankdistill.losses import LOSSES, contrastive, dual_head, leaf
from rankdistill.losses.checks import require_finite
from rankdistill.training import columns
from rankdistill.training.activity import Activity
from rankdistill.training.auxiliary_head import AuxiliaryHead
from rankdistill.training.batch import Besides, Candidates, Scored, Scorer
from rankdistill.training.config import LossName, Scale, TrainConfig
from rankdistill.training.embedding import Features
from rankdistill.training.in_batch.teacher import InBatchTeacher
from rankdistill.training.in_batch.term import InBatchTerm, loss_over_batch
from rankdistill.training.in_batch.unit import in_batch_unit
from rankdistill.training.rows import TrainingRows
from rankdistill.training.scale import ScoreScale, margin_deviations, margin_ratio, margin_unit
from rankdistill.training.sparsity import Sparsity
from rankdistill.training.token_graph import TokenGraph
from rankdistill.training.types.base import StudentType
from rankdistill.training.vector_scores import own_documents

COSINE_CONTRASTIVE_SCALE = 20.0
"""Inverse temperature for scores in [-1, 1]. Other scores take 1, MaxSim among them: it sums over a query's tokens.

Both are the defaults of sentence-transformers' MultipleNegativesRankingLoss, dense and multi-vector.
"""

Distillation = Callable[[Tensor, Tensor], Tensor]
"""(student scores, teacher scores), both [batch, docs] -> loss."""

TwoHeads = Callable[..., Tensor]
"""As `losses.dual_head` takes it, with its weight and temperatures."""


def distillation_of(config: TrainConfig) -> Distillation | None:
    """The loss on teacher scores that `config` names, with its settings; None: it learns from labels only.

    A parameter of the loss that is called as a setting gets its value, but for those that the name stands for.
    """
    loss, named = LOSSES[config.loss], names.LOSSES[config.loss]
    if named.labels:
        return None
    taken = (set(signature(loss).parameters) & set(TrainConfig.model_fields)) - set(named.options)
    return partial(loss, **{name: getattr(config, name) for name in taken})


def without_effect(config: TrainConfig) -> set[str]:
    """Settings of losses that decide nothing with the loss that `config` names."""
    loss, named = LOSSES[config.loss], names.LOSSES[config.loss]
    of_losses = {"kl_weight", "margin_weight", "sinkhorn_weight", "student_temperature", "teacher_temperature"}
    read = set() if named.labels else set(signature(loss).parameters) - set(named.options)
    if config.has_two_heads:
        read |= {"student_temperature", "teacher_temperature"}
    return (of_losses - read) | (set() if config.contrasts else {"contrastive_scale"})


class Objective(nn.Module):
    """A module that sentence-transformers' trainer calls with the token columns and labels of a batch.

    loss = (distillation(scale * s, t) + in_batch(scale * s_all, t_all) + sparsity) / unit^2
           + contrastive_weight * contrastive(contrastive_scale * s_candidates)
           + alignment_weight * leaf(y, z) + relations

    Squared margins in logits are of the order of 10 to 100, those of probabilities below 1: clipped to one norm, each
    would be another run. So losses that compare margins count them in `unit`, the teacher's margin deviation:
    `MarginMSE(scale * s, t) / unit^2 = MarginMSE(scale * s / unit, t / unit)`. What is published beside such a loss,
    in the teacher's unit as well (the weights of regularisers, the mix of SPLADE-v3), keeps its meaning, as all of it
    is divided by the same number, which AdamW does not see and clipping does. The contrastive term has no unit, and
    its weight is beside a loss that is about 1 at the start. A KL divergence has none either, but its temperatures do.
    Nor has the alignment: `y` are the student's vectors of the batch's texts, `z` the in-batch teacher's; nor the
    relations of a multi-vector student's tokens. With two heads the contrastive term is `losses.dual_head`.
    The term over the whole batch, `in_batch`, brings the in-batch teacher's scores to the stored scores' unit first.

    Args:
        model: the student.
        scorer: its scores of a batch.
        distillation: the loss on teacher scores, or None.
        scale: from the student's similarity to the teacher's unit.
        unit: what the distillation loss counts margins in, in the teacher's unit; 1 where it compares none.
        contrastive_weight: of the contrastive term; 0: none.
        contrastive_scale: inverse temperature of the contrastive term.
        sparsity: what its term weights cost.
        in_batch: the term over the whole batch; None: there is none.
        own_candidates: whether the contrastive term takes each query's own of the scorer's candidates alone.
        min_margin: how far the in-batch teacher must put a document below the row's positive, in its own unit, for the
            contrastive term to count it; None: all count.
        alignment_weight: of the distance to the in-batch teacher's vectors; 0: none.
        head: the auxiliary one, which the scorer has too; None: there is one head.
        two_heads: the loss of both.
    """

    def __init__(
        self,
        model: nn.Module,
        scorer: Scorer,
        distillation: Distillation | None,
        scale: ScoreScale,
        unit: float,
        contrastive_weight: float,
        contrastive_scale: float,
        sparsity: Sparsity,
        in_batch: InBatchTerm | None = None,
        own_candidates: bool = False,
        min_margin: float | None = None,
        alignment_weight: float = 0.0,
        head: AuxiliaryHead | None = None,
        two_heads: TwoHeads | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.scorer = scorer
        self.distillation = distillation
        self.scale = scale
        self.unit = unit
        self.contrastive_weight = contrastive_weight
        self.contrastive_scale = contrastive_scale
        self.sparsity = sparsity
        self.in_batch = in_batch
        self.own_candidates = own_candidates
        self.min_margin = min_margin
        self.alignment_weight = alignment_weight
        self.head = head
        self.two_heads = two_heads
        self.activity = Activity()

    def forward(
        self, sentence_features: Sequence[Features], labels: Float[Tensor, "batch docs"]
    ) -> Float[Tensor, ""] | dict[str, Float[Tensor, ""]]:
        """The loss of a batch; its parts by name, which the trainer sums and logs, where there are several.

        Raises:
            LossInputError: it is not finite.
        """
        besides, features = _take_besides(sentence_features)
        scored = self.scorer(self.model, features)
        with torch.autocast(scored.own.device.type, enabled=False):
            loss = scored.own.new_zeros(())
            if self.distillation is not None:
                loss = loss + self.distillation(self.scale(scored.own), labels.float()) / self.unit**2
            if scored.candidates is not None:
                found = _own(scored.candidates) if self.own_candidates else scored.candidates
                scores = self.contrastive_scale * found.scores
                excluded = _excluded(found, _no_negatives(besides, self.min_margin))
                if self.two_heads is None:
                    loss = loss + self.contrastive_weight * contrastive(scores, found.positives, excluded=excluded)
                else:
                    auxiliary = self.scale(scored.auxiliary)
                    loss = loss + self.two_heads(scores, auxiliary, labels.float(), found.positives, excluded=excluded)
            parts = {name: penalty / self.unit**2 for name, penalty in self.sparsity(scored).items()}
            if self.in_batch is not None:
                assert scored.in_batch is not None
                assert besides.in_batch_scores is not None
                term = self.in_batch(self.scale(scored.in_batch), besides.in_batch_scores.float())
                parts["in_batch"] = term / self.unit**2
            if self.alignment_weight > 0:
                parts["alignment"] = self.alignment_weight * _distance(scored, besides)
            if scored.relations is not None:
                parts["token_relations"] = scored.relations
        require_finite(loss, *parts.values())
        self.activity.observe(scored)
        return {"ranking": loss} | parts if parts else loss


def build(
    kind: StudentType,
    student: Any,
    config: TrainConfig,
    rows: TrainingRows,
    sparsity: Sparsity,
    teacher: InBatchTeacher | None = None,
    graph: TokenGraph | None = None,
) -> Objective:
    """The objective that `config` names, for this student; a scale taken from the data looks at the first `rows`.

    Args:
        kind: of the student.
        student: the model.
        config: of the run.
        rows: of the run.
        sparsity: what its term weights cost.
        teacher: the in-batch teacher, which knows the texts of `rows`; None: there is none.
        graph: of a multi-vector student's tokens; None: there is none.

    Raises:
        ConfigError: the tokeniser pads on the left, no scale can be taken from the data, or no unit.
    """
    distillation = distillation_of(config)
    contrastive_weight = config.contrastive_weight if distillation else 1.0
    in_batch = None
    if teacher is not None and config.compares_batches:
        in_batch = InBatchTerm(loss_over_batch(config), config.in_batch_weight, in_batch_unit(teacher, rows))
    scorer = kind.scorer(student, contrastive_weight > 0, in_batch is not None)
    head = two_heads = None
    if config.has_two_heads:
        head = AuxiliaryHead(_width(student))
        scorer = replace(scorer, head=head)  # type: ignore[type-var]
        temperatures = {name: getattr(config, name) for name in ("student_temperature", "teacher_temperature")}
        two_heads = partial(dual_head, weight=config.auxiliary_head_weight, **temperatures)
    scaled = distillation is not None or config.has_two_heads
    if graph is not None:
        scorer = replace(scorer, graph=graph)  # type: ignore[type-var]
    unit = margin_unit(rows) if config.compares_margins else 1.0
    return Objective(
        model=student,
        scorer=scorer,
        distillation=distillation,
        scale=_build_scale(kind, student, scorer, config, rows) if scaled else ScoreScale(1.0, learned=False),
        unit=unit,
        contrastive_weight=contrastive_weight,
        contrastive_scale=config.contrastive_scale or (COSINE_CONTRASTIVE_SCALE if kind.is_cosine(student) else 1.0),
        sparsity=sparsity.beside(unit),
        in_batch=in_batch,
        own_candidates=kind.in_batch and config.contrastive_candidates == "own",
        min_margin=config.in_batch_min_margin,
        alignment_weight=config.alignment_weight,
        head=head,
        two_heads=two_heads,
    )


def _width(student: Any) -> int:
    """Numbers of a vector in training, which nothing truncates as `truncate_dim` does in use."""
    before, student.truncate_dim = getattr(student, "truncate_dim", None), None
    try:
        found = student.get_embedding_dimension()
    finally:
        student.truncate_dim = before
    if found is None:
        raise ConfigError(
            expected="a dense student that tells the length of its vectors, for an auxiliary head",
            got="one that does not",
            consequence="nothing was trained",
            remedy="leave auxiliary_head_weight out, or take another model",
        )
    return int(found)


def _take_besides(columns: Sequence[Features]) -> tuple[Besides, list[Features]]:
    """What the first column holds beside its tokens, and the columns without it."""
    first, *others = columns
    besides = {field.name for field in fields(Besides)}
    found = Besides(**{name: value for name, value in first.items() if name in besides})
    return found, [{name: value for name, value in first.items() if name not in besides}, *others]


def _distance(scored: Scored, besides: Besides) -> Float[Tensor, ""]:
    """`leaf` of the student's and the in-batch teacher's vectors of all texts of the batch."""
    assert scored.embeddings is not None
    assert besides.teacher_queries is not None
    assert besides.teacher_documents is not None
    return leaf(torch.cat(scored.embeddings), torch.cat([besides.teacher_queries, besides.teacher_documents]).float())


def _own(found: Candidates) -> Candidates:
    """Of candidates from the whole batch, each query's own, the positive first."""
    excluded = None if found.excluded is None else own_documents(found.excluded)
    return Candidates(own_documents(found.scores), torch.zeros_like(found.positives), excluded)


def _no_negatives(besides: Besides, min_margin: float | None) -> Bool[Tensor, "batch all"] | None:
    """Documents of the batch that are no negatives of a query: by the labels, and by the in-batch teacher's scores."""
    scores = besides.in_batch_scores
    if min_margin is None or scores is None:
        return besides.labelled
    positives = own_documents(scores)[:, :1]
    near = positives - scores < min_margin
    return near if besides.labelled is None else near | besides.labelled


def _excluded(found: Candidates, known: Bool[Tensor, "batch all"] | None) -> Bool[Tensor, "batch candidates"] | None:
    """The candidates that are no negatives: those that the type excludes, and those `known`, but for the positive."""
    if known is None:
        return found.excluded
    if found.scores.shape != known.shape:
        known = own_documents(known)
    known = known.scatter(1, found.positives[:, None], False)
    return known if found.excluded is None else known | found.excluded


def _build_scale(
    kind: StudentType, student: Any, scorer: Scorer, config: TrainConfig, rows: TrainingRows
) -> ScoreScale:
    chosen = _automatic(kind, student, config.loss) if config.scale == "auto" else config.scale
    if not isinstance(chosen, str):
        return ScoreScale(chosen, learned=False)
    collate = kind.collator(student, rows.text_columns, config)

    def score(some: list[dict[str, Any]]) -> Tensor:
        with torch.no_grad():
            return scorer(student, columns.split(collate(some), rows.text_columns)).own

    student.eval()
    if chosen == "spread":
        deviation, _ = margin_deviations(score, rows)
        return ScoreScale(margin_unit(rows) / max(1.0, deviation), learned=False)
    return ScoreScale(margin_ratio(score, rows), learned=chosen == "learned")


def _automatic(kind: StudentType, student: Any, loss: LossName) -> Scale | Literal["spread"]:
    """The scale of a student of this type where none is named.

    A learned one would outgrow the regularisers of term weights: they shrink the weights, and it makes up for that.
    Scores without bounds keep their spread, unless it is below 1 (`spread`): to divide by that of a new head, whose
    scores are nearly equal, would make its noise large. Beside a temperature, which is in the teacher's unit, the
    scores stay in that unit.
    """
    if kind.is_bounded(student):
        return "learned"
    if kind.penalties:
        return "fitted"
    return "spread" if names.LOSSES[loss].margins else 1.0
