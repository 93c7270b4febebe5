"""The only place where a loss, a model and a batch meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankdistill.errors import ConfigError
from rankdistill.losses import contrastive, kl_div, margin_mse
from rankdistill.students.dense import is_bounded, similarity_of
from rankdistill.training.config import TrainConfig
from rankdistill.training.embedding import Features, embed, embed_sorted, same_text, stack_columns
from rankdistill.training.rows import TrainingRows
from rankdistill.training.scale import ScoreScale, margin_ratio

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BOUNDED_CONTRASTIVE_SCALE = 20.0

Distillation = Callable[[Tensor, Tensor], Tensor]
"""(student scores, teacher scores), both [batch, docs] -> loss."""

OBJECTIVES: dict[str, Callable[[TrainConfig], Distillation | None]] = {
    "margin_mse": lambda config: partial(margin_mse, pairs="positive"),
    "margin_mse_all": lambda config: partial(margin_mse, pairs="all"),
    "kl_div": lambda config: partial(
        kl_div,
        student_temperature=config.student_temperature,
        teacher_temperature=config.teacher_temperature,
    ),
    "contrastive": lambda config: None,
}
"""Name -> its loss on teacher scores; None: labels only."""


class Objective(nn.Module):
    """A module that sentence-transformers' trainer calls with the token columns and labels of a batch.

    loss = distillation(scale * s, t) + contrastive_weight * contrastive(contrastive_scale * s_in_batch)

    Args:
        model: the student.
        similarity: `cosine` or `dot`.
        distillation: the loss on teacher scores, or None.
        scale: from the student's similarity to the teacher's unit.
        contrastive_weight: of the in-batch term; 0: none.
        contrastive_scale: inverse temperature of the in-batch term.
        pad_token_id: of the student's tokeniser, which pads on the right.
    """

    def __init__(
        self,
        model: nn.Module,
        similarity: str,
        distillation: Distillation | None,
        scale: ScoreScale,
        contrastive_weight: float,
        contrastive_scale: float,
        pad_token_id: int,
    ) -> None:
        super().__init__()
        self.model = model
        self.similarity = similarity
        self.distillation = distillation
        self.scale = scale
        self.contrastive_weight = contrastive_weight
        self.contrastive_scale = contrastive_scale
        self.pad_token_id = pad_token_id

    def forward(self, sentence_features: Sequence[Features], labels: Float[Tensor, "batch docs"]) -> Float[Tensor, ""]:
        """The loss of a batch; columns are the query, the positive, then the negatives."""
        query_features, *document_columns = sentence_features
        documents_features = stack_columns(document_columns, self.pad_token_id)
        queries = embed(self.model, query_features)
        documents = embed_sorted(self.model, documents_features)
        with torch.autocast(queries.device.type, enabled=False):
            if self.similarity == "cosine":
                queries, documents = (nn.functional.normalize(vectors, dim=1) for vectors in (queries, documents))
            in_batch = queries @ documents.T
            loss = in_batch.new_zeros(())
            if self.distillation is not None:
                loss = loss + self.distillation(self.scale(own_documents(in_batch)), labels.float())
            if self.contrastive_weight:
                positives, excluded = in_batch_targets(same_text(query_features), same_text(documents_features))
                scores = self.contrastive_scale * in_batch
                loss = loss + self.contrastive_weight * contrastive(scores, positives, excluded=excluded)
        return loss


def own_documents(in_batch: Float[Tensor, "batch all"]) -> Float[Tensor, "batch docs"]:
    """Of the scores of each query with the whole batch's documents (row by row), those of its own."""
    batch = in_batch.shape[0]
    blocks = in_batch.unflatten(1, (batch, -1))
    return blocks.diagonal(dim1=0, dim2=1).T


def in_batch_targets(query_texts: Tensor, document_texts: Tensor) -> tuple[Tensor, Tensor]:
    """Columns of the positives, and which other columns are no negatives.

    A column is no negative of a row if it holds the row's positive once more, or the positive of another row with the
    same query; texts are the same where their numbers (`same_text`) are.

    Args:
        query_texts: [batch].
        document_texts: [batch * docs], row by row, the positive first.

    Returns:
        positives [batch], int64; excluded [batch, batch * docs], bool.
    """
    batch = len(query_texts)
    docs = len(document_texts) // batch
    positives = torch.arange(batch, device=query_texts.device) * docs
    positive_texts = document_texts[positives]
    same_query = query_texts[:, None] == query_texts[None, :]
    is_positive = positive_texts[:, None] == document_texts[None, :]
    excluded = (same_query.float() @ is_positive.float()) > 0
    excluded[torch.arange(batch, device=excluded.device), positives] = False
    return positives, excluded


def build(student: SentenceTransformer, config: TrainConfig, rows: TrainingRows) -> Objective:
    """The objective that `config` names, for this student; a scale taken from the data looks at the first `rows`.

    Raises:
        ConfigError: the tokeniser pads on the left.
    """
    tokenizer = student.tokenizer
    if tokenizer.padding_side != "right":
        raise ConfigError(
            expected="a student whose tokeniser pads on the right",
            got=f"padding side {tokenizer.padding_side!r}",
            consequence="texts would be cut at the wrong end",
            remedy="save the student with padding_side right, or take another one",
        )
    bounded = is_bounded(student)
    distillation = OBJECTIVES[config.loss](config)
    contrastive_scale = config.contrastive_scale or (BOUNDED_CONTRASTIVE_SCALE if bounded else 1.0)
    return Objective(
        model=student,
        similarity=similarity_of(student),
        distillation=distillation,
        scale=_build_scale(student, config, rows, bounded) if distillation else ScoreScale(1.0, learned=False),
        contrastive_weight=config.contrastive_weight if distillation else 1.0,
        contrastive_scale=contrastive_scale,
        pad_token_id=tokenizer.pad_token_id,
    )


def _build_scale(student: SentenceTransformer, config: TrainConfig, rows: TrainingRows, bounded: bool) -> ScoreScale:
    if config.scale == "learned" or (config.scale == "auto" and bounded):
        return ScoreScale(margin_ratio(student, rows), learned=True)
    return ScoreScale(1.0 if config.scale == "auto" else float(config.scale), learned=False)
