"""`plan`: what `score` would do, how long that takes and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rankdistill.display import Shown
from rankdistill.progress import ProgressLike, Reporter, reporter_of
from rankdistill.stores.embeddings.writer import EmbeddingWriter
from rankdistill.stores.unit_size import UNIT_SIZE, is_exact, size_for
from rankdistill.stores.writer import ScoreWriter
from rankdistill.teachers.base import PairTeacher, encodes_texts
from rankdistill.verbs.arguments import Data, Place, Teacher, require_range
from rankdistill.verbs.contract import verb_with_stores
from rankdistill.verbs.score import open_writer

if TYPE_CHECKING:
    import polars as pl

SAMPLE = 256
"""Pairs or texts that the speed is measured on."""


@dataclass(frozen=True, repr=False)
class Plan(Shown):
    """Work that is left to do at a store, and what it takes.

    Args:
        wanted: unique pairs, or texts, that were asked for.
        missing: those that the store lacks.
        unit_size: of a shard.
        unit: `unique pairs` or `texts`.
        rate: units a second, measured on a sample; None where that was not measured.
        price_per_hour: of this machine; 0 where nothing is paid.
        vector_bytes: what a vector takes; None for scores.
        estimate: what a teacher that may cost money says of the work (requests, time, cost), in words.
    """

    wanted: int
    missing: int
    unit_size: int
    unit: str = "unique pairs"
    rate: float | None = None
    price_per_hour: float = 0.0
    vector_bytes: int | None = None
    estimate: Mapping[str, str] | None = None

    def __repr__(self) -> str:
        time = f", about {self.seconds:,.0f} s" if self.seconds is not None else ""
        return f"Plan({self.missing:,} of {self.wanted:,} {self.unit} missing, in {self.shards:,} shards{time})"

    @property
    def shards(self) -> int:
        """How many files the missing ones will be."""
        return -(-self.missing // self.unit_size)

    @property
    def seconds(self) -> float | None:
        """How long they take; None where the speed was not measured."""
        return self.missing / self.rate if self.rate else None

    @property
    def cost(self) -> float | None:
        """What that costs, in the unit of the price; None without a price or a measured speed."""
        return self.seconds / 3600 * self.price_per_hour if self.price_per_hour and self.seconds is not None else None

    @property
    def bytes(self) -> int | None:
        """Size of the missing vectors; None for scores."""
        return None if self.vector_bytes is None else self.missing * self.vector_bytes

    def lines(self) -> list[str]:
        """Counts, time and cost."""
        found = [
            f"wanted   {self.wanted:,} {self.unit}",
            f"missing  {self.missing:,}, in {self.shards:,} shards",
        ]
        if self.bytes is not None:
            found.append(f"size     about {self.bytes / 1e6:,.1f} MB of vectors")
        found += [f"{name:<9}{value}" for name, value in (self.estimate or {}).items()]
        if self.seconds is not None:
            speed = f"{self.rate:,.0f} {self.unit.split()[-1]}/s"
            found.append(f"time     about {self.seconds / 60:,.1f} minutes at {speed} (measured on a sample)")
        if self.cost is not None:
            found.append(f"cost     about {self.cost:,.2f} at {self.price_per_hour:g} an hour")
        return found

    def to_polars(self) -> pl.DataFrame:
        """One row: the numbers of `to_json`."""
        import polars as pl

        return pl.DataFrame([{name: value for name, value in self.to_json().items() if name != "estimate"}])

    def to_json(self) -> dict[str, Any]:
        """The fields, shards, seconds, and where there are such the size in bytes and the cost."""
        return {
            "unit": self.unit,
            "wanted": self.wanted,
            "missing": self.missing,
            "shards": self.shards,
            "rate": self.rate,
            "seconds": self.seconds,
            "cost": self.cost,
            "bytes": self.bytes,
            "estimate": None if self.estimate is None else dict(self.estimate),
        }


@verb_with_stores("out", "candidates")
def plan(
    data: Data,
    teacher: Teacher | PairTeacher,
    candidates: Place,
    out: Place,
    *,
    price_per_hour: float = 0.0,
    sample: int = SAMPLE,
    kind: str = "auto",
    backend: str = "auto",
    max_length: int | None = None,
    unit_size: int | None = None,
    lenient: bool = False,
    progress: ProgressLike = False,
) -> Plan:
    """Count the pairs without a score and estimate time and cost of scoring them. Nothing is written.

    Args:
        data: as `score` takes it, like all that is not told here.
        teacher: a model reference, a taught teacher, a YAML file, or settings.
        candidates: what `mine` made.
        out: the store that the scores would be added to.
        price_per_hour: price of this machine an hour.
        sample: pairs scored to measure the speed (none where that may cost money); 0: no estimate.
        kind: kind of teacher; `auto` looks into the model.
        backend: what runs the model.
        max_length: tokens of a pair; the teacher's own unless given.
        unit_size: pairs a shard; None: as `score` chooses.
        lenient: leave bad rows of the data out instead of stopping.
        progress: True tells on standard error; or a function that takes the number of pairs just measured.

    Returns:
        The counts, which print as lines.

    Raises:
        ConfigError, DataError, ModelReferenceError: as `score`.
    """
    require_range(0, price_per_hour=price_per_hour, sample=sample)
    writer = open_writer(
        data,
        teacher,
        candidates,
        out,
        kind=kind,
        backend=backend,
        max_length=max_length,
        unit_size=unit_size,
        lenient=lenient,
    )
    missing = writer.plan()
    exact = is_exact(unit_size, encodes_texts(writer.teacher))
    size = unit_size if exact and unit_size else UNIT_SIZE
    counts = Plan(missing.wanted, missing.missing, size, price_per_hour=price_per_hour)
    if not missing.missing or not sample:
        return counts
    told = writer.estimate(missing, sample)
    if told is not None:
        return replace(counts, estimate=told)
    rate = measured_rate(writer, sample, "pairs", reporter_of(progress))
    by_time = not exact and not encodes_texts(writer.teacher)
    return replace(counts, rate=rate, unit_size=size_for(rate) if by_time else counts.unit_size)


def measured_rate(writer: ScoreWriter | EmbeddingWriter, sample: int, unit: str, reporter: Reporter) -> float:
    """How many a second the teacher of `writer` does, told of as a stage of its own."""
    with reporter.stage("measuring the speed", unit) as stage:
        rate = writer.sample_rate(sample)
        stage(sample)
    return rate
