"""What `fidelity` says, as it is written to `fidelity.json`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, PrivateAttr, ValidationError

from rankdistill import files, integrity, manifest
from rankdistill.display import Shown, Table
from rankdistill.errors import ConfigError, DataError
from rankdistill.evaluation.fidelity.plots import Step, gap_plot
from rankdistill.evaluation.per_query import PER_QUERY_FILE, read_per_query
from rankdistill.evaluation.systems import Record

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.figure import Figure

ARTEFACT, FILE_NAME, PAGE = "fidelity", "fidelity.json", "report.html"

RUNGS = {
    "perfect": "judged documents, best labels first",
    "ceiling": "candidates, best labels first",
    "teacher": "candidates, as the teacher ranks them",
    "student": "candidates, as the student ranks them",
    "search": "what the student finds in the collection",
}
"""Ranking -> what it is."""

STAGES = {
    "candidate_ceiling": "candidate ceiling",
    "teacher_error": "teacher error",
    "student_error": "student error",
    "search": "search",
}
"""Part of the gap -> what tables call it."""

MEND = {
    "candidate_ceiling": "candidates: mine deeper, or with more sources",
    "teacher_error": "the teacher: take or teach a better one, or combine several",
    "student_error": "the student: train longer, on more queries, or a larger one",
    "search": "the search: train with harder negatives from the whole collection, or search it more exactly",
}
"""Part of the gap -> what mends it."""

MEASURES = {
    "kl_divergence": "KL divergence, nats",
    "spearman": "Spearman",
    "kendall": "Kendall tau-b",
    "margin_r2": "R² of margins",
    "overlap": "top-{k} overlap",
}
"""Measure of agreement -> what tables call it."""


class Agreement(Record):
    """How well the student copies the teacher in one sense.

    Args:
        measure: a key of `MEASURES`.
        value: mean over the queries; of `margin_r2`, R² over the margins of all queries together.
        interval: 95% bootstrap interval over queries.
        median: over the queries; of `margin_r2`, of each query's own R².
        copy_value: what a perfect copy has.
        chance: what a student has that gives every document the same score or, for `overlap`, a random one.
    """

    measure: str
    value: float
    interval: tuple[float, float]
    median: float
    copy_value: float
    chance: float


class Rung(Record):
    """A ranking of the ladder from a perfect one to the student's.

    Args:
        name: a key of `RUNGS`.
        ndcg_at_10: mean over the queries.
        interval: 95% bootstrap interval of it.
    """

    name: str
    ndcg_at_10: float
    interval: tuple[float, float]


class Part(Record):
    """A part of the gap: the nDCG@10 of one ranking less that of the next.

    Args:
        name: a key of `STAGES`.
        difference: mean over the queries; below 0 the stage gains.
        interval: 95% paired bootstrap interval of it.
        largest: share of resamples of the queries in which no other part is larger.
    """

    name: str
    difference: float
    interval: tuple[float, float]
    largest: float


class Gap(Record):
    """The student's gap to a perfect ranking, and the parts that add up to it.

    Args:
        queries: that were judged.
        rungs: the rankings, from a perfect one to the student's.
        parts: the differences from one to the next.
        gap: nDCG@10 of the first less that of the last.
        interval: 95% paired bootstrap interval of it.
    """

    queries: int
    rungs: list[Rung]
    parts: list[Part]
    gap: float
    interval: tuple[float, float]

    @property
    def largest(self) -> Part:
        """The part that takes most."""
        return max(self.parts, key=lambda part: part.difference)

    def plot(self) -> Figure:
        """A bar a ranking, and what each stage takes."""
        stages: list[tuple[str | None, float]] = [(None, 0.0)]
        stages += [(STAGES[part.name], taken) for part, taken in zip(self.parts, self.shown(), strict=True)]
        return gap_plot(
            [
                Step(RUNGS[rung.name], rung.ndcg_at_10, stage, taken)
                for rung, (stage, taken) in zip(self.rungs, stages, strict=True)
            ]
        )

    def shown(self) -> list[float]:
        """The parts with 4 digits, as differences of the rankings' means with 4 digits: what is printed adds up."""
        means = [round(rung.ndcg_at_10, 4) for rung in self.rungs]
        return [round(above - below, 4) for above, below in pairwise(means)]


class Hit(Record):
    """A document near the top of one of two rankings of a query.

    Args:
        doc_id: the document.
        text: how it begins.
        teacher_rank: from 1.
        student_rank: likewise.
        label: the judgement; None: there is none.
    """

    doc_id: str
    text: str
    teacher_rank: int
    student_rank: int
    label: int | None = None


class Worst(Record):
    """A query that the student copies badly.

    Args:
        query_id: the query.
        text: of it.
        spearman: with the teacher.
        kl_divergence: likewise.
        hits: what either ranks first.
    """

    query_id: str
    text: str
    spearman: float
    kl_divergence: float
    hits: list[Hit]


class Fidelity(Shown, Record):
    """How well a student copies its teacher on the queries of a split, and where its gap comes from.

    Args:
        student: the model.
        teacher: what it is called.
        data: name of the collection.
        split: whose queries.
        queries: those with scores of the teacher.
        compared: those of them with two candidates or more.
        pairs: candidates of all queries together.
        added: those of them that no source found: judged positives, which have no part in the gap.
        k: of the overlap.
        temperature: of both softmaxes.
        scales: what the student's scores were multiplied with, for `kl_divergence` and for `margin_r2`.
        agreements: measure by measure.
        gap: None where no query has a relevant document.
        worst: queries that are copied worst, by Spearman.
        signature: what the numbers depend on.
    """

    student: str
    teacher: str
    data: str
    split: str
    queries: int
    compared: int
    pairs: int
    added: int
    k: int
    temperature: float
    scales: dict[str, float]
    agreements: list[Agreement]
    gap: Gap | None
    worst: list[Worst] = Field(default_factory=list)
    signature: dict[str, Any] = Field(default_factory=dict)

    _path: Path | None = PrivateAttr(default=None)
    _per_query: Any = PrivateAttr(default=None)

    def __getitem__(self, measure: str) -> Agreement:
        """The agreement in one measure; KeyError where there is none of that name."""
        for one in self.agreements:
            if one.measure == measure:
                return one
        raise KeyError(measure)

    @property
    def path(self) -> Path | None:
        """Its folder; None where it lies in none."""
        return self._path

    def __fspath__(self) -> str:
        if self._path is None:
            raise ConfigError(
                expected="a fidelity that lies in a folder",
                got=f"{self!r}, which was not written",
                consequence="nothing was read",
                remedy="give an output: out=OUT (--out)",
            )
        return str(self._path)

    def __repr__(self) -> str:
        return f"Fidelity({self.student} to {self.teacher}: {self.data}, {self.split}, {self.queries:,} queries)"

    def tables(self) -> list[Table]:
        """The agreement, and the parts of the gap."""
        title = (
            f"{self.student} copies {self.teacher}: {self.data}, {self.split}, {self.compared} queries, "
            f"{self.pairs:,} pairs"
        )
        found = [Table(title, *agreement_rows(self))]
        if self.gap is not None:
            found.append(
                Table(f"nDCG@10 of {self.gap.queries} queries, and what each stage takes", *gap_rows(self.gap), 2)
            )
        return found

    def lines(self) -> list[str]:
        """Which stage takes most, and where the report lies."""
        return [*self.conclusions(), *([] if self._path is None else [str(self._path / PAGE)])]

    def conclusions(self) -> list[str]:
        """Which stage takes most, and whether that is more than chance."""
        if self.gap is None:
            return []
        largest = self.gap.largest
        shown = dict(zip((part.name for part in self.gap.parts), self.gap.shown(), strict=True))
        if largest.difference <= 0:
            return ["No stage takes anything: the last ranking is as good as a perfect one."]
        said = f"{STAGES[largest.name]} takes most, {shown[largest.name]:.4f} of {round(sum(shown.values()), 4):.4f}"
        sure = f"in {largest.largest:.0%} of resamples of the queries"
        return [f"{said[0].upper()}{said[1:]}, {sure}. Mend {MEND[largest.name]}."]

    def to_polars(self) -> pl.DataFrame:
        """A query a row: query_id, candidates, each measure, and `ndcg_NAME` of each ranking; null where undefined."""
        if self._per_query is not None:
            found: pl.DataFrame = self._per_query
            return found
        return read_per_query(Path(self))

    def to_json(self) -> dict[str, Any]:
        """All fields, and the folder where there is one."""
        place = {} if self._path is None else {"fidelity": str(self._path)}
        return {**place, **self.model_dump(mode="json")}

    def plot(self) -> Figure:
        """The nDCG@10 of each ranking, and what each stage takes."""
        if self.gap is None:
            raise ConfigError(
                expected="queries with a relevant document",
                got="none",
                consequence="nothing was drawn",
                remedy="take a split with judgements",
            )
        return self.gap.plot()

    def with_queries(self, per_query: pl.DataFrame) -> Fidelity:
        """The same, which has the values of each query."""
        found = self.model_copy()
        found._per_query = per_query
        return found

    def lying_in(self, folder: Path) -> Fidelity:
        """The same, which knows the folder that holds it."""
        found = self.model_copy()
        found._path = folder
        return found

    def write(self, folder: Path) -> None:
        """Write `fidelity.json` and `per_query.parquet` into `folder`."""
        from rankdistill import tables

        tables.write_parquet(folder / PER_QUERY_FILE, self.to_polars().to_arrow())
        files.write_text(
            folder / FILE_NAME, json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"
        )

    @classmethod
    def read(cls, folder: Path) -> Fidelity:
        """What `write` wrote.

        Raises:
            DataError: there is no such file, or it is something else.
        """
        manifest.expect(folder, ARTEFACT, "fidelity")
        try:
            found = cls.model_validate_json(integrity.read_bytes(folder / FILE_NAME))
        except (OSError, ValidationError) as error:
            raise DataError(
                expected=f"{FILE_NAME} as `rankdistill fidelity` writes it",
                got=f"{folder / FILE_NAME}: {str(error).splitlines()[0]}",
                consequence="nothing was read",
                remedy="measure it again into another folder",
            ) from error
        return found.lying_in(folder)


def agreement_rows(found: Fidelity) -> tuple[list[str], list[list[str]]]:
    """A measure a row."""
    header = ["measure", "value", "95% interval", "median query", "perfect copy", "no knowledge"]
    return header, [
        [
            MEASURES[one.measure].format(k=found.k),
            f"{one.value:.4f}",
            _interval(one.interval),
            f"{one.median:.4f}",
            f"{one.copy_value:g}",
            f"{one.chance:.4f}",
        ]
        for one in found.agreements
    ]


def gap_rows(gap: Gap) -> tuple[list[str], list[list[str]]]:
    """A ranking a row, with what the stage that leads to it takes; the last row is the whole gap."""
    header = ["ranking", "stage", "nDCG@10", "takes", "95% interval", "largest in"]
    parts: Sequence[Part | None] = [None, *gap.parts]
    takes: Sequence[float | None] = [None, *gap.shown()]
    rows = [
        [
            RUNGS[rung.name],
            "" if part is None else STAGES[part.name],
            f"{rung.ndcg_at_10:.4f}",
            "" if taken is None else f"{taken:.4f}",
            "" if part is None else _interval(part.interval),
            "" if part is None else f"{part.largest:.0%}",
        ]
        for rung, part, taken in zip(gap.rungs, parts, takes, strict=True)
    ]
    rows.append(["", "gap: the sum", "", f"{round(sum(gap.shown()), 4):.4f}", _interval(gap.interval), ""])
    return header, rows


def _interval(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.3f} .. {interval[1]:.3f}"
