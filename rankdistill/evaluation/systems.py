"""One retrieval system with what it costs, and how one differs from another, as `results.json` has them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Record(BaseModel):
    """What is read and written as it is: unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


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
        teacher_seconds: time that its teachers took for their scores and vectors, added over their workers; None where
            it had no teacher, or where a part of it is unknown.
        teacher_pairs: how many scores those stores hold of its teachers.
        teacher_texts: how many vectors.
        teacher_unknown: whether it had a teacher, or may have had one, whose time is not known: `teacher_seconds` None
            is then not 0.
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
    teacher_texts: int | None = None
    teacher_unknown: bool = False


class Hit(Record):
    """A document of a query, as a run has it.

    Args:
        doc_id: the document.
        rank: from 1; None: the run does not have it.
        label: the judgement; None: there is none.
        text: how it begins; None: the corpus lacks it.
    """

    doc_id: str
    rank: int | None
    label: int | None
    text: str | None


class Change(Record):
    """A query that a system won or lost against the baseline.

    Args:
        query_id: the query.
        text: of it; None: its evaluation tells none.
        baseline: the baseline's value.
        system: the system's.
        baseline_hits: what the baseline found first, and what it was to find.
        system_hits: likewise.
    """

    query_id: str
    text: str | None
    baseline: float
    system: float
    baseline_hits: list[Hit] = Field(default_factory=list)
    system_hits: list[Hit] = Field(default_factory=list)

    @property
    def difference(self) -> float:
        """The system's value less the baseline's."""
        return self.system - self.baseline


class Changed(Record):
    """The queries in which a system differs most from the baseline in one measure.

    Args:
        baseline: the other.
        system: the one.
        measure: in which.
        won: the most won first.
        lost: the most lost first.
    """

    baseline: str
    system: str
    measure: str
    won: list[Change]
    lost: list[Change]


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
        effect: mean of the queries' differences over their standard deviation (Cohen's d of paired values, 1988,
            section 2.3.5); None where they are all the same, or there is one.
        won: queries in which the system is better; None in comparisons from before it was counted, as the next two.
        tied: in which it is equal.
        lost: in which it is worse.
    """

    baseline: str
    system: str
    measure: str
    difference: float
    interval: tuple[float, float]
    p_value: float
    p_holm: float
    by_training: list[float] = Field(default_factory=list)
    effect: float | None = None
    won: int | None = None
    tied: int | None = None
    lost: int | None = None

    def significant(self, level: float = 0.05) -> bool:
        """Whether the corrected p-value is below `level`."""
        return self.p_holm < level
