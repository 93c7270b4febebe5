"""How much a recipe does: steps and queries, by the size of the data or by the minutes that there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Speed(Protocol):
    """What was measured here; see `rankdistill.training.speed.Speed`."""

    @property
    def encoded(self) -> float:
        """Texts a second, by the teacher."""
        ...

    @property
    def step(self) -> float:
        """Seconds of a training step of 32 texts."""
        ...

    @property
    def student_encoded(self) -> float:
        """Texts a second, by the student."""
        ...


ALIGN_BATCH, TRAIN_BATCH, NEGATIVES = 32, 16, 4
MOST_ALIGN, MOST_TRAIN, LEAST_ALIGN, LEAST_TRAIN = 4000, 1000, 100, 50
ALIGNED_SHARE = 0.7
"""Of the time for training: alignment mends the cut, which scores cannot do in as few steps."""

STEP_OVERHEAD = 1.3
"""What a step of a run takes beside the one that was measured: reading rows, comparing with the teacher, logs."""

START_UP = 90.0
"""Seconds of what every run does besides: loading models, BM25, generating queries, the report."""


OVERRUN = 1.1
"""How much longer an estimate may be than the minutes that there are."""

TRIES = 100
"""Times that the fewest minutes are looked for: a longer run may embed more, which takes longer."""


@dataclass(frozen=True)
class Sizes:
    """What a recipe does, and how long that takes.

    Args:
        align_steps: of alignment.
        train_steps: of training on scores.
        queries: that are mined for and scored.
        whole: whether the teacher embeds the whole collection, for the batch's margins and its own row of the report.
        minutes: how long, by what was measured; None: nothing was.
        reasons: setting -> why.
    """

    align_steps: int
    train_steps: int
    queries: int
    whole: bool
    minutes: float | None
    reasons: dict[str, str]


LOGGED = 10
"""Steps between two points of a loss curve; evaluations fall on one."""


def by_data(documents: int, queries: int) -> Sizes:
    """Two passes of alignment over documents and queries, one of training over the queries, within bounds."""
    texts = documents + queries
    align = _rounded(min(MOST_ALIGN, max(LEAST_ALIGN, round(2 * texts / ALIGN_BATCH))))
    mined = min(queries, MOST_TRAIN * TRAIN_BATCH)
    train = _rounded(min(MOST_TRAIN, max(LEAST_TRAIN, mined // TRAIN_BATCH)))
    passes = align * ALIGN_BATCH / texts
    return Sizes(
        align,
        train,
        mined,
        True,
        None,
        {
            "align.steps": f"{passes:.2g} passes over {texts:,} texts; more where there is time: alignment goes on "
            "gaining longest",
            "train.steps": f"{train * TRAIN_BATCH / max(1, mined):.2g} passes over the queries",
        },
    )


def by_minutes(documents: int, queries: int, tested: int, speed: Speed, minutes: float, pairs: bool) -> Sizes:
    """What fits into `minutes`: encoding the collection comes first, training gets what is left.

    Args:
        documents: of the collection.
        queries: to train on.
        tested: to report on.
        speed: as measured.
        minutes: that there are.
        pairs: whether another teacher than the embedding one scores pairs, at about its speed.
    """
    most = by_data(documents, queries)
    seconds = minutes * 60.0
    indexing = START_UP + 3 * documents / speed.student_encoded
    embedding = (documents + min(queries, most.queries)) / speed.encoded
    whole = indexing + embedding <= 0.6 * seconds
    scoring_share = 0.25 if pairs else 0.0
    left = seconds * (1 - scoring_share) - indexing - (embedding if whole else 0.0)
    if not whole:
        left -= min(embedding, 0.2 * seconds)
    align_step, train_step = (STEP_OVERHEAD * speed.step * texts / ALIGN_BATCH for texts in (ALIGN_BATCH, _of_batch()))
    train = min(MOST_TRAIN, int((1 - ALIGNED_SHARE) * max(0.0, left) / train_step), max(LEAST_TRAIN, queries // 8))
    train = _rounded(max(LEAST_TRAIN, train))
    # Where the fewest steps on scores take more than their share, alignment has what they leave.
    align = min(MOST_ALIGN * 4, int(min(ALIGNED_SHARE * left, left - train * train_step) / align_step))
    align = _rounded(max(LEAST_ALIGN, min(align, max(most.align_steps, 10 * (documents + queries) // ALIGN_BATCH))))
    mined = min(most.queries, max(LEAST_TRAIN * TRAIN_BATCH, train * TRAIN_BATCH))
    if pairs:
        mined = min(mined, max(LEAST_TRAIN, int(scoring_share * seconds * speed.encoded / 11) - tested))
    spent = indexing + align * align_step + train * train_step + scoring_share * seconds
    spent += embedding if whole else min(embedding, 0.2 * seconds)
    told = f"{spent / 60:.0f} of {minutes:g} minutes by what was measured here"
    reasons = {
        "align.steps": f"what is left of the time beside encoding and indexing, {ALIGNED_SHARE:.0%} of it ({told})",
        "train.steps": "the rest of it",
        "mine.limit_queries": "as many as these steps read",
    }
    if spent > OVERRUN * seconds:
        reasons["align.steps"] = (
            f"the fewest that show anything: {told}, since encoding and indexing {documents:,} documents alone take "
            f"{(indexing + embedding) / 60:.0f}"
        )
    if not whole:
        reasons["texts.limit"] = (
            f"only as many texts as fit: the teacher would take {embedding / 60:.0f} minutes for the whole collection"
        )
    return Sizes(align, train, mined, whole, spent / 60, reasons)


def least_minutes(documents: int, queries: int, tested: int, speed: Speed, pairs: bool) -> float:
    """The fewest minutes in which what shows anything is done; the arguments are those of `by_minutes`."""
    minutes = 0.0
    for _ in range(TRIES):
        needed = by_minutes(documents, queries, tested, speed, max(minutes, 0.01), pairs).minutes or 0.0
        if needed <= minutes * OVERRUN:
            break
        minutes = max(needed, minutes * OVERRUN)
    return minutes


def texts_that_fit(speed: Speed, minutes: float) -> int:
    """How many texts the teacher may embed in a fifth of the time."""
    return max(1000, int(0.2 * minutes * 60 * speed.encoded))


def _rounded(steps: int) -> int:
    return steps // LOGGED * LOGGED


def _of_batch() -> int:
    """Texts of a training step on scores: queries, their positives and negatives."""
    return TRAIN_BATCH * (2 + NEGATIVES)
