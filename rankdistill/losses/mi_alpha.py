"""MI-alpha: a lower bound on the mutual information of student and teacher embeddings, to be maximised."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from rankdistill.errors import LossInputError
from rankdistill.losses.checks import require_temperature
from rankdistill.losses.directions import directions
from rankdistill.losses.vector_checks import require_aligned, require_directions, require_others


def mi_alpha(
    student: Float[Tensor, "batch dim"],
    teacher: Float[Tensor, "batch dim"],
    alpha: float = 0.9,
    temperature: float = 0.05,
    baseline: float = math.e,
) -> Float[Tensor, ""]:
    """`-I_alpha`, `I_alpha = 1 + mean_i log(e^f_ii / a_i) - mean_i (m'_i / (alpha m'_i + (1 - alpha) q))`.

    `f_ij = cos(s_i, t_j) / T`; `a_i = alpha m_i + (1 - alpha) q`; `m_i` is the mean of `e^f_ij` over all teacher
    vectors of the batch and `m'_i` over the other texts' alone, which are drawn independently of text i. With alpha = 1
    the last mean is 1 and the loss is InfoNCE (less the constant log batch); alpha below 1 mixes a constant baseline q
    into the denominator: less bias, more variance.

    Args:
        student: [batch, dim], two rows or more, any length.
        teacher: [batch, dim], the teacher's vectors of the same texts, without gradient.
        alpha: share of the batch in the denominator, above 0 (at 0 `e^f` alone would explode) and up to 1.
        temperature: T, above 0, in the unit of a cosine.
        baseline: q, above 0, in the unit of `e^f`; e is the one of the bound of Nguyen, Wainwright and Jordan.

    Raises:
        LossInputError: the tensors or options would train the student wrongly (see `rankdistill.losses.vector_checks`).

    Source: Distiller, He et al. 2021, arXiv 2109.11105, with the bound I_alpha of Poole et al. 2019, arXiv 1905.06922.
    There critic and baseline are networks; here the critic is the cosine that search uses, and q a constant.
    """
    require_aligned(student, teacher)
    require_directions("student", student)
    require_others("mi_alpha", student)
    require_temperature("temperature", temperature)
    require_temperature("baseline", baseline)
    _require_share(alpha)
    critic = directions(student) @ directions(teacher).T / temperature
    batch = critic.shape[0]
    own = torch.eye(batch, dtype=torch.bool, device=critic.device)
    log_all = critic.logsumexp(dim=1) - math.log(batch)
    log_others = critic.masked_fill(own, -torch.inf).logsumexp(dim=1) - math.log(batch - 1)
    joint = (critic.diagonal() - _log_mix(log_all, alpha, baseline)).mean()
    marginal = (log_others - _log_mix(log_others, alpha, baseline)).exp().mean()
    return -(1 + joint - marginal)


def _log_mix(log_mean: Float[Tensor, " batch"], alpha: float, baseline: float) -> Float[Tensor, " batch"]:
    """`log(alpha e^log_mean + (1 - alpha) baseline)`, without overflow."""
    if alpha == 1:
        return log_mean
    return torch.logaddexp(log_mean + math.log(alpha), torch.full_like(log_mean, math.log((1 - alpha) * baseline)))


def _require_share(alpha: float) -> None:
    if not 0 < alpha <= 1:
        raise LossInputError(
            expected="an alpha above 0, at most 1",
            got=f"{alpha}",
            consequence="the loss would not be bounded, or the logarithm of a negative number",
            remedy="use 1 for InfoNCE, and less to mix the baseline in",
        )
