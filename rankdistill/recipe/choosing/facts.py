"""What a collection is: how many documents and queries, how long, in what script, and who judged what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from rankdistill.verbs.looking import suited_tokenizer

if TYPE_CHECKING:
    from rankdistill.data import Dataset

SAMPLED = 500
"""Documents whose lengths and script are looked at, spread over the corpus."""


@dataclass(frozen=True)
class Facts:
    """What choosing goes by.

    Args:
        source: the folder.
        documents: how many.
        words: of a document, the median of a sample.
        longest: words that nine in ten of the sample do not exceed.
        titled: share of the sample with a title.
        judged: split -> how many queries it judges.
        unjudged: queries that no split judges.
        left_out: bad rows that were left out.
        tokenizer: what suits the script in BM25.
        sample: some contents, for measuring.
    """

    source: str
    documents: int
    words: int
    longest: int
    titled: float
    judged: Mapping[str, int]
    unjudged: int
    left_out: int
    tokenizer: str
    sample: Sequence[str]


def look(dataset: Dataset) -> Facts:
    """The facts of a collection; one pass over its documents."""
    count = len(dataset.document_lines)
    places = {place * count // SAMPLED for place in range(SAMPLED)} if count > SAMPLED else range(count)
    sample = [document for place, document in enumerate(dataset.documents()) if place in places]
    lengths = sorted(len(one.contents.split()) for one in sample)
    return Facts(
        source=str(dataset.path),
        documents=count,
        words=round(median(lengths)),
        longest=lengths[int(0.9 * (len(lengths) - 1))],
        titled=sum(bool(one.title) for one in sample) / len(sample),
        judged={split: len(dataset.judgements[split]) for split in dataset.splits},
        unjudged=len(dataset.unjudged),
        left_out=len(dataset.reports),
        tokenizer=suited_tokenizer(one.contents for one in sample),
        sample=[one.contents for one in sample],
    )
