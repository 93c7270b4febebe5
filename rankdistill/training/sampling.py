"""Drawing a row's negatives: uniformly, or spread over the range of teacher margins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rankdistill.training.config import Sampling
from rankdistill.training.views import View

MARGIN_BINS = 10

NEGATIVES_AT_ONCE = 1 << 20
"""Among which rows draw together; a row has all of its own."""


def sample(
    view: View, negatives: int, sampling: Sampling, seed: tuple[int, ...]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Draw `negatives` negatives for each row without replacement; the same seed draws the same.

    `stratified`: the row's margins `t+ - t-` are cut into 10 bins of equal width; the bins are visited in random order,
    one random negative from each that still has one, round after round. TAS-B (arXiv 2104.06967) draws a bin uniformly
    for each pair; visiting them in turn does the same to several negatives of one row without replacement.

    Args:
        view: the rows; a row with fewer than `negatives` negatives repeats them.
        negatives: how many a row gets.
        sampling: `uniform` or `stratified`.
        seed: entropy of the draw, such as (run seed, pass).

    Returns:
        documents [rows, 1 + negatives], codes, the positive first; teacher scores of the same shape.
    """
    generator, of_bins = np.random.default_rng(seed), np.random.default_rng(seed)
    # The draws of bins come behind one for each negative, whatever is drawn together.
    of_bins.bit_generator.advance(len(view.negative))  # type: ignore[attr-defined]
    found = [_sample(part, negatives, sampling, generator, of_bins) for part in view.in_parts(NEGATIVES_AT_ONCE)]
    documents, scores = zip(*found, strict=True)
    return np.concatenate(documents), np.concatenate(scores)


def _sample(
    view: View, negatives: int, sampling: Sampling, generator: np.random.Generator, of_bins: np.random.Generator
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    counts = np.diff(view.start)
    row = np.repeat(np.arange(len(counts)), counts)
    noise = generator.random(len(row))
    if sampling == "uniform":
        order = np.lexsort((noise, row))
    else:
        bins = margin_bins(view)
        turn = np.empty(len(row), dtype=np.int64)
        inside = np.lexsort((noise, bins, row))
        turn[inside] = _position_in_group(row[inside] * MARGIN_BINS + bins[inside])
        bin_order = of_bins.random((len(counts), MARGIN_BINS))
        order = np.lexsort((bin_order[row, bins], turn, row))
    chosen = order[view.start[:-1, None] + np.arange(negatives) % counts[:, None]]
    documents = np.column_stack([view.positive, view.negative[chosen]])
    scores = np.column_stack([view.positive_score, view.negative_score[chosen]])
    return documents, scores


def margin_bins(view: View) -> NDArray[np.int64]:
    """For each negative its margin's bin, 0 (hardest) to 9 (easiest), of equal width over its own row's margins."""
    counts = np.diff(view.start)
    margins = np.repeat(view.positive_score, counts).astype(np.float64) - view.negative_score
    lowest = np.repeat(np.minimum.reduceat(margins, view.start[:-1]), counts)
    width = np.repeat(np.maximum.reduceat(margins, view.start[:-1]), counts) - lowest
    share = np.divide(margins - lowest, width, out=np.zeros_like(margins), where=width > 0)
    return np.minimum((share * MARGIN_BINS).astype(np.int64), MARGIN_BINS - 1)


def _position_in_group(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """0, 1, 2 ... within each run of equal values."""
    first = np.flatnonzero(np.concatenate([[True], groups[1:] != groups[:-1]]))
    sizes = np.diff(np.append(first, len(groups)))
    return np.arange(len(groups)) - np.repeat(first, sizes)
