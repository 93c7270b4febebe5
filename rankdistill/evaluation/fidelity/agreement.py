"""How alike two scorers put the same candidates of a query: pure functions of their scores.

Scores are float64 `[docs]`, the same documents in the same order; higher is better. A student scores in a unit of its
own, as a cosine is, so KL and margins compare `scale * student` with the teacher, with one scale for all queries.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]

_LARGEST = 1e8
"""Scale, in the teacher's unit over the student's deviation, beyond which a fit does not look."""


def kl_divergence(teacher: Scores, student: Scores, scale: float = 1.0, temperature: float = 1.0) -> float:
    """KL(p || q) of p = softmax(teacher / temperature) and q = softmax(scale * student / temperature), in nats.

    What the KL loss of training goes down on (Hinton et al. 2015, arXiv 1503.02531), over all candidates of a query. 0
    where the two differ by a constant; log(docs) less the entropy of p for a student that knows nothing (`scale` 0).
    """
    log_p, log_q = log_softmax(teacher / temperature), log_softmax(scale * student / temperature)
    return max(0.0, float(np.exp(log_p) @ (log_p - log_q)))


def kendall(teacher: Scores, student: Scores) -> float:
    """Kendall's tau-b, which accounts for ties; 1 where both are constant, 0 where one is."""
    from scipy.stats import kendalltau

    constant = [bool(np.all(values == values[0])) for values in (teacher, student)]
    if any(constant):
        return float(all(constant))
    return float(kendalltau(teacher, student, variant="b").statistic)


def margin_residual(teacher: Scores, student: Scores, scale: float) -> tuple[float, float]:
    """What R² of the margins is made of: the sum of squares that the student leaves, and the whole of it.

    A margin is the difference of two candidates' scores. Over all pairs of n candidates, sum (x_i - x_j)² is n times
    sum (x_i - mean)², so neither needs the pairs. R² is 1 - residual / total.
    """
    centred = teacher - teacher.mean()
    left = centred - scale * (student - student.mean())
    return len(teacher) * float(left @ left), len(teacher) * float(centred @ centred)


def overlap(teacher: Sequence[str], student: Sequence[str], k: int) -> float:
    """Share of the first k documents that two rankings have in common; of all where they are fewer.

    Args:
        teacher: document ids, best first.
        student: the same documents, best first.
        k: at least 1.
    """
    depth = min(k, len(teacher))
    return len({*teacher[:depth]} & {*student[:depth]}) / depth


def fitted_margin_scale(teacher: Sequence[Scores], student: Sequence[Scores]) -> float:
    """The scale of least squared error over the margins of all queries: least squares, 0 where that would be below.

    Args:
        teacher: scores of each query.
        student: likewise.
    """
    products = squares = 0.0
    for wanted, given in zip(teacher, student, strict=True):
        centred = given - given.mean()
        products += len(given) * float(centred @ (wanted - wanted.mean()))
        squares += len(given) * float(centred @ centred)
    return max(0.0, products / squares) if squares > 0 else 0.0


def fitted_kl_scale(teacher: Sequence[Scores], student: Sequence[Scores], temperature: float = 1.0) -> float:
    """The scale of 0 or more that makes the sum of the queries' KL divergences least.

    The sum is convex in the scale; its derivative is E_q[student] - E_p[student], whose root is looked for.

    Args:
        teacher: scores of each query.
        student: likewise.
        temperature: as of `kl_divergence`.
    """
    from scipy.optimize import brentq

    wanted, given, real = _padded(teacher, student)
    p = np.exp(log_softmax(np.where(real, wanted / temperature, -np.inf)))
    expected = (p * given).sum()

    def slope(scale: float) -> float:
        logits = np.where(real, scale * given / temperature, -np.inf)
        return float((np.exp(log_softmax(logits)) * given).sum() - expected)

    if slope(0.0) >= 0:
        return 0.0
    high = fitted_margin_scale(teacher, student) or 1.0
    while slope(high) < 0:
        high *= 2
        if high > _LARGEST:
            return high
    return float(brentq(slope, 0.0, high, xtol=1e-15, rtol=8.9e-16, maxiter=200))


def log_softmax(values: Scores) -> Scores:
    """Log softmax over the last axis; a place that holds minus infinity has no part in it."""
    shifted = values - values.max(axis=-1, keepdims=True)
    found: Scores = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return found


def _padded(teacher: Sequence[Scores], student: Sequence[Scores]) -> tuple[Scores, Scores, NDArray[np.bool_]]:
    """Both as `[queries, most docs]`, 0 where there is no document, and where there is one.

    A query's student scores are shifted by their mean, which changes no softmax and keeps the sums exact.
    """
    widest = max(map(len, teacher))
    first, second = np.zeros((2, len(teacher), widest))
    real = np.zeros((len(teacher), widest), dtype=bool)
    for row, (wanted, given) in enumerate(zip(teacher, student, strict=True)):
        first[row, : len(wanted)], second[row, : len(given)] = wanted, given - given.mean()
        real[row, : len(wanted)] = True
    return first, second, real
