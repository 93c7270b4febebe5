"""What a format writes from: the queries with their scored documents, and which of them are chosen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from typing import Literal

from rankdistill.formats.groups import Group, GroupReader, Scored
from rankdistill.formats.texts import Texts

Order = Literal["hardest", "random"]


@dataclass(frozen=True)
class Choice:
    """Which negatives go with a positive, and what is written about them.

    Args:
        negatives: how many; None: the format's default.
        order: those with the highest teacher scores, or any (by hash of seed and ids).
        seed: of the random choice.
        margins: write score(positive) - score(negative) where the format may hold either.
    """

    negatives: int | None = None
    order: Order = "hardest"
    seed: int = 0
    margins: bool = False


@dataclass
class ExportReport:
    """What was written, and what was left out and why."""

    queries: int = 0
    rows: int = 0
    skipped_unlabelled_queries: int = 0
    skipped_rows_with_few_negatives: int = 0
    dropped_pairs_without_score: int = 0

    def to_json(self) -> dict[str, int]:
        """The fields."""
        return asdict(self)


@dataclass(frozen=True)
class Export:
    """What a format writes from.

    Args:
        reader: the queries with their scored documents.
        texts: of queries and documents; empty where the format holds none.
        name: that its user gave the teacher, else its id.
        choice: which negatives, for formats of rows.
        report: counts what is written.
    """

    reader: GroupReader
    texts: Texts
    name: str
    choice: Choice
    report: ExportReport = field(default_factory=ExportReport)

    def groups(self, labelled: bool = False) -> Iterator[Group]:
        """The queries in the order of their ids; `labelled`: only those with a positive."""
        for group in self.reader:
            if labelled and not group.positives:
                self.report.skipped_unlabelled_queries += 1
                continue
            self.report.queries += 1
            self.report.rows += 1
            yield group
        self.report.dropped_pairs_without_score = self.reader.without_score

    def rows(self, negatives: int | None = None) -> Iterator[tuple[str, Scored, list[Scored]]]:
        """(query id, positive, its negatives): one row a positive; rows with fewer negatives than asked are skipped.

        Args:
            negatives: how many if the user does not say; None: all there are, at least one.
        """
        wanted = self.choice.negatives or negatives
        for group in self.groups(labelled=True):
            self.report.rows -= 1
            for positive in group.positives:
                if len(group.negatives) < (wanted or 1):
                    self.report.skipped_rows_with_few_negatives += 1
                    continue
                self.report.rows += 1
                yield group.query_id, positive, self._choose(group, positive)[:wanted]

    def _choose(self, group: Group, positive: Scored) -> list[Scored]:
        if self.choice.order == "hardest":
            return group.negatives

        def draw(document: Scored) -> bytes:
            words = (str(self.choice.seed), group.query_id, positive.doc_id, document.doc_id)
            return blake2b("\0".join(words).encode(), digest_size=8).digest()

        return sorted(group.negatives, key=draw)
