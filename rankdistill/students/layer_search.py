"""Which layers a shallow student inherits: by a rule, or by how much of the teacher's similarities survives the cut.

The search trains nothing: it encodes a sample of texts with some of the layers only, and compares the similarities
between those texts with the teacher's, as DisWOT does for students that start at random (Dong et al., CVPR 2023).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING, Literal

import numpy as np

from rankdistill.errors import ConfigError
from rankdistill.students import inherit
from rankdistill.students.targets import WHOLE, Longest, Targets, encode

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

EXHAUSTIVE = 70
"""Sets of layers that are all tried; where there are more, layers leave one at a time, the least missed first."""


def by_rule(rule: Literal["first", "last", "even"], total: int, count: int) -> list[int]:
    """`count` of `total` layers: the first, the last, or evenly spaced from the first to the last.

    Raises:
        ConfigError: there are not so many.
    """
    _require_count(total, count)
    if rule == "first":
        return list(range(count))
    if rule == "last":
        return list(range(total - count, total))
    return [int(index) for index in np.linspace(0, total - 1, count).round()]


def search(model: SentenceTransformer, targets: Targets, count: int, longest: Longest = WHOLE) -> list[int]:
    """The `count` encoder layers of `model` with which its vectors are most alike the teacher's, by linear CKA.

    Args:
        model: left as it was.
        targets: a sample of texts; its cost is one pass over them for each set of layers tried.
        count: layers to keep.
        longest: tokens of a text that are read at most.

    Raises:
        ConfigError: the model has fewer layers, or there are fewer than three texts.
        ModelReferenceError: the architecture is not known.
    """
    total = inherit.layer_count(model)
    _require_count(total, count)
    if len(targets.texts) < 3:
        raise ConfigError(
            expected="three texts at least, to compare similarities between them",
            got=f"{len(targets.texts)}",
            consequence="every choice of layers would look the same",
            remedy="embed more texts, or choose the layers by a rule",
        )
    if comb(total, count) <= EXHAUSTIVE:
        return max(
            (list(chosen) for chosen in combinations(range(total), count)),
            key=lambda chosen: _likeness(model, chosen, targets, longest),
        )
    chosen = list(range(total))
    while len(chosen) > count:
        shorter = [[layer for layer in chosen if layer != gone] for gone in chosen]
        chosen = max(shorter, key=lambda kept: _likeness(model, kept, targets, longest))
    return chosen


def linear_cka(first: np.ndarray, second: np.ndarray) -> float:
    """Linear centred kernel alignment of two sets of vectors of the same n things, 0 to 1; 0 if one is constant.

    `|Y'X|^2 / (|X'X| |Y'Y|)` in Frobenius norms, with centred columns (Kornblith et al. 2019).

    Args:
        first: float[n, a].
        second: float[n, b].
    """
    X = first.astype(np.float64) - first.mean(axis=0, dtype=np.float64)
    Y = second.astype(np.float64) - second.mean(axis=0, dtype=np.float64)
    across = np.linalg.norm(Y.T @ X) ** 2
    within = np.linalg.norm(X.T @ X) * np.linalg.norm(Y.T @ Y)
    return float(across / within) if within > 0 else 0.0


def _likeness(model: SentenceTransformer, chosen: Sequence[int], targets: Targets, longest: Longest) -> float:
    with inherit.only(model, chosen):
        vectors = encode(model, targets, longest)
    return linear_cka(vectors, targets.vectors) if np.isfinite(vectors).all() else 0.0


def _require_count(total: int, count: int) -> None:
    if not 1 <= count <= total:
        raise ConfigError(
            expected=f"1 to {total} layers, as many as the model has",
            got=f"{count}",
            consequence="no layer was removed",
            remedy="set `layers` to a number in that range",
        )
