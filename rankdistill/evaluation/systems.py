"""One retrieval system with what it costs, and how one differs from another, as `results.json` has them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Record(BaseModel):
    """What is read and written as it is: unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Latency(Record):
    """Milliseconds to answer one query alone (encode and search), measured here."""

    p50: float
    p99: float
    queries: int


class System(Record):
    """One retrieval system and what it costs.

    Args:
        name: what the tables call it.
        measures: measure -> mean over the queries.
        intervals: measure -> 95% bootstrap interval of that mean.
        per_query: file with the per-query values.
        latency_ms: None where it was not measured.
        model_bytes: size of the weights.
        index_bytes: size of the index on disk, or of the vectors where the index was in memory only.
        parameters: number of weights.
        trainings: how many trainings, alike but for their seed, `measures` are the means of.
        deviations: measure -> standard deviation of the means of those trainings; empty for one.
        teacher_seconds: time spent on teacher scores to train it.
        teacher_pairs: how many teacher scores it was trained on.
    """

    name: str
    measures: dict[str, float]
    intervals: dict[str, tuple[float, float]] = Field(default_factory=dict)
    per_query: str | None = None
    latency_ms: Latency | None = None
    model_bytes: int | None = None
    index_bytes: int | None = None
    parameters: int | None = None
    trainings: int = 1
    deviations: dict[str, float] = Field(default_factory=dict)
    teacher_seconds: float | None = None
    teacher_pairs: int | None = None


class Comparison(Record):
    """`system` minus `baseline` in one measure.

    Args:
        difference: of the means; above 0 the system is better.
        interval: 95% bootstrap interval of the difference, over queries and, where a system was trained several times,
            over its trainings.
        p_value: two-sided paired randomisation test over queries. It holds the trainings as they are: what it shows is
            shown for these trainings, and `interval` and `by_training` say how far another seed may lie.
        by_training: the difference for each training of the system, in order; empty where both were trained once.
        p_holm: Holm-corrected over the systems compared to this baseline in this measure.
    """

    baseline: str
    system: str
    measure: str
    difference: float
    interval: tuple[float, float]
    p_value: float
    p_holm: float
    by_training: list[float] = Field(default_factory=list)

    def significant(self, level: float = 0.05) -> bool:
        """Whether the corrected p-value is below `level`."""
        return self.p_holm < level
