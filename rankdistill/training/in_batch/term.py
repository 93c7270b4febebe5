"""The term over the whole batch: a loss on each query's scores of every document in the batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from inspect import signature

from jaxtyping import Float
from torch import Tensor

from rankdistill.losses import IN_BATCH
from rankdistill.training.config import TrainConfig


@dataclass(frozen=True)
class InBatchTerm:
    """`weight * loss(s, unit * t)`, the second term of TAS-B's dual supervision (arXiv 2104.06967).

    Args:
        loss: of (student scores, teacher scores), both [batch, batch * docs].
        weight: beside the loss on the stored pairs; .75 there.
        unit: from the in-batch teacher's unit to that of the stored scores, see `unit.in_batch_unit`.
    """

    loss: Callable[[Tensor, Tensor], Tensor]
    weight: float
    unit: float

    def __call__(self, student: Float[Tensor, "batch all"], teacher: Float[Tensor, "batch all"]) -> Float[Tensor, ""]:
        """The term of a batch.

        Args:
            student: in the unit of the stored scores.
            teacher: in the in-batch teacher's own.
        """
        return self.weight * self.loss(student, self.unit * teacher)


def loss_over_batch(config: TrainConfig) -> Callable[[Tensor, Tensor], Tensor]:
    """What the loss that `config` names is over the whole batch; of a sum of losses the same sum."""
    parts = [(weight, _with_settings(name, config)) for name, weight in config.terms.items() if weight > 0]

    def summed(student: Tensor, teacher: Tensor) -> Tensor:
        total = student.new_zeros(())
        for weight, loss in parts:
            total = total + weight * loss(student, teacher)
        return total

    return summed


def _with_settings(name: str, config: TrainConfig) -> Callable[[Tensor, Tensor], Tensor]:
    loss = IN_BATCH[name]
    taken = set(signature(loss).parameters) & set(TrainConfig.model_fields)
    return partial(loss, **{setting: getattr(config, setting) for setting in taken})
