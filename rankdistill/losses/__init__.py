"""The losses: one file an objective, pure functions of tensors, no model inside."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor

from rankdistill.losses.contrastive import contrastive
from rankdistill.losses.kl_div import kl_div
from rankdistill.losses.margin_mse import margin_mse

LOSSES: dict[str, Callable[..., Tensor]] = {
    "margin_mse": partial(margin_mse, pairs="positive"),
    "margin_mse_all": partial(margin_mse, pairs="all"),
    "kl_div": kl_div,
    "contrastive": contrastive,
}
"""Name -> loss of (student_scores, teacher_scores), or for `contrastive` of (student_scores, positives)."""

__all__ = ["LOSSES", "contrastive", "kl_div", "margin_mse"]
