"""The only place where a loss, a student and a batch meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from inspect import signature
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from rankdistill import names
from rankdistill.losses import LOSSES, contrastive
from rankdistill.losses.checks import require_finite
from rankdistill.training import columns
from rankdistill.training.activity import Activity
from rankdistill.training.batch import LABELLED, Candidates, Scorer
from rankdistill.training.config import LossName, Scale, TrainConfig
from rankdistill.training.embedding import Features
from rankdistill.training.rows import TrainingRows
from rankdistill.training.scale import ScoreScale, margin_deviations, margin_ratio, margin_unit
from rankdistill.training.sparsity import Sparsity
from rankdistill.training.types.base import StudentType
from rankdistill.training.vector_scores import own_documents

COSINE_CONTRASTIVE_SCALE = 20.0
"""Inverse temperature for scores in [-1, 1]. Other scores take 1, MaxSim among them: it sums over a query's tokens.

Both are the defaults of sentence-transformers' MultipleNegativesRankingLoss, dense and multi-vector.
"""

Distillation = Callable[[Tensor, Tensor], Tensor]
"""(student scores, teacher scores), both [batch, docs] -> loss."""


def distillation_of(config: TrainConfig) -> Distillation | None:
    """The loss on teacher scores that `config` names, with its settings; None: it learns from labels only.

    A parameter of the loss that is called as a setting gets its value, but for those that the name stands for.
    """
    loss, named = LOSSES[config.loss], names.LOSSES[config.loss]
    if named.labels:
        return None
    taken = (set(signature(loss).parameters) & set(TrainConfig.model_fields)) - set(named.options)
    return partial(loss, **{name: getattr(config, name) for name in taken})


class Objective(nn.Module):
    """A module that sentence-transformers' trainer calls with the token columns and labels of a batch.

    loss = (distillation(scale * s, t) + sparsity) / unit^2
           + contrastive_weight * contrastive(contrastive_scale * s_candidates)

    Squared margins in logits are of the order of 10 to 100, those of probabilities below 1: clipped to one norm, each
    would be another run. So losses that compare margins count them in `unit`, the teacher's margin deviation:
    `MarginMSE(scale * s, t) / unit^2 = MarginMSE(scale * s / unit, t / unit)`. What is published beside such a loss,
    in the teacher's unit as well (the weights of regularisers, the mix of SPLADE-v3), keeps its meaning, as all of it
    is divided by the same number, which AdamW does not see and clipping does. The contrastive term has no unit, and
    its weight is beside a loss that is about 1 at the start. A KL divergence has none either, but its temperatures do.

    Args:
        model: the student.
        scorer: its scores of a batch.
        distillation: the loss on teacher scores, or None.
        scale: from the student's similarity to the teacher's unit.
        unit: what the distillation loss counts margins in, in the teacher's unit; 1 where it compares none.
        contrastive_weight: of the contrastive term; 0: none.
        contrastive_scale: inverse temperature of the contrastive term.
        sparsity: what its term weights cost.
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
        self.activity = Activity()

    def forward(
        self, sentence_features: Sequence[Features], labels: Float[Tensor, "batch docs"]
    ) -> Float[Tensor, ""] | dict[str, Float[Tensor, ""]]:
        """The loss of a batch; its parts by name, which the trainer sums and logs, where sparsity is among them.

        Raises:
            LossInputError: it is not finite.
        """
        known, features = _take_labelled(sentence_features)
        scored = self.scorer(self.model, features)
        with torch.autocast(scored.own.device.type, enabled=False):
            loss = scored.own.new_zeros(())
            if self.distillation is not None:
                loss = loss + self.distillation(self.scale(scored.own), labels.float()) / self.unit**2
            if scored.candidates is not None:
                found = scored.candidates
                scores = self.contrastive_scale * found.scores
                excluded = _excluded(found, known)
                loss = loss + self.contrastive_weight * contrastive(scores, found.positives, excluded=excluded)
            penalties = {name: penalty / self.unit**2 for name, penalty in self.sparsity(scored).items()}
        require_finite(loss, *penalties.values())
        self.activity.observe(scored)
        return {"ranking": loss} | penalties if penalties else loss


def build(kind: StudentType, student: Any, config: TrainConfig, rows: TrainingRows, sparsity: Sparsity) -> Objective:
    """The objective that `config` names, for this student; a scale taken from the data looks at the first `rows`.

    Raises:
        ConfigError: the tokeniser pads on the left, no scale can be taken from the data, or no unit.
    """
    distillation = distillation_of(config)
    contrastive_weight = config.contrastive_weight if distillation else 1.0
    scorer = kind.scorer(student, contrastive_weight > 0)
    unit = margin_unit(rows) if config.compares_margins else 1.0
    return Objective(
        model=student,
        scorer=scorer,
        distillation=distillation,
        scale=_build_scale(kind, student, scorer, config, rows) if distillation else ScoreScale(1.0, learned=False),
        unit=unit,
        contrastive_weight=contrastive_weight,
        contrastive_scale=config.contrastive_scale or (COSINE_CONTRASTIVE_SCALE if kind.is_cosine(student) else 1.0),
        sparsity=sparsity.beside(unit),
    )


def _take_labelled(columns: Sequence[Features]) -> tuple[Tensor | None, list[Features]]:
    """What the first column holds besides, [batch, batch * docs] or None, and the columns without it."""
    first, *others = columns
    return first.get(LABELLED), [{name: value for name, value in first.items() if name != LABELLED}, *others]


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
