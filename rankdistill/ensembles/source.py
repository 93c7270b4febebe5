"""Several teachers of a store, read as one: calibrated per query, joined and averaged, range by range."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, SupportsFloat

import polars as pl
import pyarrow as pa

from rankdistill.ensembles import calibration, combining, quantiles, ranges
from rankdistill.ensembles.calibration import CLIP, STANDARD, Bounds, Context, Moments
from rankdistill.ensembles.combining import PAIR, Coverage
from rankdistill.errors import ConfigError, StoreError
from rankdistill.stores.kinds import CALIBRATED, own_names
from rankdistill.stores.reader import ScoreStore
from rankdistill.teachers.base import teacher_id
from rankdistill.teachers.names import Called, choose

SCHEMA = pa.schema(
    [
        pa.field("query_id", pa.string(), nullable=False),
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("score", pa.float32(), nullable=False),
    ]
)

KIND = "ensemble"


@dataclass(frozen=True)
class Piece:
    """The pairs of a range of whole queries.

    Args:
        members: query_id, doc_id and a column of calibrated scores (float64) a teacher, as `combining.join` gives it.
        reference: query_id, mean, deviation of the reference teacher's raw scores; empty where there is none.
        coverage: what was missing.
    """

    members: pl.DataFrame
    reference: pl.DataFrame
    coverage: Coverage


class Ensemble:
    """A weighted mean of calibrated scores, in place of one teacher: what training reads of a `ScoreStore`.

    Args:
        store: holds the teachers; or its folder, also `s3://...`.
        teachers: at least one; ids, names, or starts of these, as `ScoreStore.teacher` takes them.
        calibrate: a name in `calibration.CALIBRATIONS`. It sees all pairs that the teacher has, before any join.
        missing: a `combining.Policy`.
        weights: one a teacher, 0 or more, not all 0; scaled to sum to 1. None: equal ones.
        reference: a teacher of the store, named likewise. `affine` and `affine-store` map each teacher to its mean and
            deviation and need it; with any other calibration the mean itself is mapped so, query by query (SPLADE-v3,
            arXiv 2403.06789, does this after `minmax`).
        combine: a `combining.Combine`: the weighted `mean`, or of each query the `best` teacher by the labels.

    Raises:
        StoreError: no such teacher.
        DataError: there is no finished store of scores.
        ConfigError: arguments of other types, unknown names, wrong weights, a reference missing, or teachers of several
            score kinds uncalibrated.
    """

    def __init__(
        self,
        store: ScoreStore | str | os.PathLike[str],
        teachers: str | Sequence[str],
        calibrate: str = "zscore",
        missing: str = "error",
        weights: Sequence[float] | None = None,
        reference: str | None = None,
        combine: str = "mean",
    ) -> None:
        _require_types(store, teachers, calibrate, missing, weights, reference)
        self.store = store if isinstance(store, ScoreStore) else ScoreStore(os.fspath(store))
        self.calibrate = calibrate
        self.calibration = calibration.named(calibrate)
        self.missing = combining.check_policy(missing)
        self.combination = combining.check_combine(combine)
        self.members = _distinct(
            [self.store.teacher(name) for name in ([teachers] if isinstance(teachers, str) else teachers)]
        )
        self.weights = dict(zip(self.members, combining.scaled(weights, len(self.members)), strict=True))
        self.reference = None if reference is None else self.store.teacher(reference)
        self._bounds: dict[str, Bounds] = {}
        if self.calibration.reference != "none" and self.reference is None:
            raise ConfigError(
                expected=f"a reference teacher, whose mean and deviation {calibrate} maps to",
                got="none",
                consequence="nothing was read",
                remedy="name one with reference, or choose zscore",
            )
        if calibrate == "none":
            self._require_one_kind()

    def __repr__(self) -> str:
        weighed = ", ".join(f"{self.weights[member]:.2g} x {name}" for member, name in self.names.items())
        return f"Ensemble({str(self.store.path)!r}: {weighed}; {self.calibrate}, missing: {self.missing})"

    @cached_property
    def names(self) -> dict[str, str]:
        """Member -> what it is shown as; see `ScoreStore.names`."""
        return {member: self.store.names[member] for member in self.members}

    @cached_property
    def fingerprint(self) -> dict[str, Any]:
        """Everything that defines the scores besides the members' own: members, weights, calibration, policy."""
        found = {
            "kind": KIND,
            "members": {name: self.store.fingerprint(name) for name in self.members},
            "weights": self.weights,
            "calibrate": self.calibrate,
            "missing": self.missing,
            "reference": self.reference,
        }
        found |= {} if self.combination == "mean" else {"combine": self.combination}
        return found | ({"percentiles": {"of": "store", "shares": list(CLIP)}} if self.calibration.bounded else {})

    @cached_property
    def teacher_id(self) -> str:
        """Short name derived from the fingerprint."""
        return teacher_id(KIND, self.fingerprint)

    @property
    def teacher_ids(self) -> list[str]:
        """The ensemble is one teacher."""
        return [self.teacher_id]

    def teacher(self, name: str | None = None) -> str:
        """The ensemble's id; raises StoreError for any other name."""
        return choose([Called(self.teacher_id)], name)

    @property
    def score_kind(self) -> str:
        """The unit of the combined scores, as `stores.kinds` names it."""
        if self.calibrate != "none":
            return CALIBRATED
        return self.store.score_kinds()[self.reference or self.members[0]]

    def without(self, member: str) -> Ensemble:
        """The same ensemble of the other members, their weights scaled up."""
        others = [name for name in self.members if name != member]
        return self._like(others, [self.weights[name] for name in others])

    def weighing(self, weights: Sequence[float]) -> Ensemble:
        """The same ensemble with other weights."""
        return self._like(self.members, weights)

    @property
    def bounds(self) -> dict[str, Bounds]:
        """Member -> the percentiles that its scores are clipped to, for a calibration over them; else none.

        They are of all scores that the store has of the member, whatever the queries, those that are evaluated on too;
        no label is looked at. Two numbers a teacher, exact, from two passes over its scores in bounded memory.
        """
        return {name: self._bounds_of(name) for name in self.members} if self.calibration.bounded else {}

    def pieces(self, queries: Collection[str] | None = None, rows: int = ranges.RANGE_ROWS) -> Iterator[Piece]:
        """The calibrated members, joined, range by range, sorted by query_id, doc_id over all pieces.

        Memory depends on `rows` and on the largest query, not on the store.

        Args:
            queries: read only these; None: all.
            rows: rows of all teachers together that a range aims at.

        Raises:
            StoreError: see `combining.join` and `ranges.Cursor.take`.
        """
        names = list(dict.fromkeys([*self.members, *([self.reference] if self.reference else [])]))
        spans = {name: ranges.holding(ranges.spans(self.store.shards(name)), queries) for name in names}
        cursors = {name: ranges.Cursor(name, found) for name, found in spans.items()}
        contexts = self._contexts()
        wanted = None if queries is None else pl.Series("query_id", sorted(queries), dtype=pl.String)
        for below in ranges.cuts(list(spans.values()), rows):
            raw = {name: cursor.take(below) for name, cursor in cursors.items()}
            if wanted is not None:
                raw = {name: rows.filter(pl.col("query_id").is_in(wanted.implode())) for name, rows in raw.items()}
            reference = _moments(raw[self.reference] if self.reference else ranges.EMPTY)
            members = {name: self._calibrated(raw[name], reference, contexts[name]) for name in self.members}
            table, coverage = combining.join(members, self.missing, self.names)
            if coverage.wanted:
                yield Piece(table, reference, coverage)

    def combine(self, piece: Piece) -> pl.DataFrame:
        """query_id, doc_id, score (float32) of a piece, in the ensemble's unit."""
        mean = combining.weighted_mean(piece.members, self.weights)
        if self.combination == "best":
            mean = combining.best_of(piece.members, mean, self._positives)
        if self.reference is not None and self.calibration.reference == "none":
            joined = mean.join(piece.reference, on="query_id", how="left", maintain_order="left")
            context = Context(pl.col("query_id"), Moments(pl.col("mean"), pl.col("deviation")))
            mean = joined.select(*PAIR, score=calibration.to_reference(pl.col("score"), context))
            if mean["score"].null_count():
                raise self._no_reference(mean.filter(pl.col("score").is_null())["query_id"][0])
        return mean.with_columns(pl.col("score").cast(pl.Float32))

    def iterate(
        self,
        queries: Collection[str] | None = None,
        rows: int = ranges.RANGE_ROWS,
        on_coverage: Callable[[Coverage], None] | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Record batches of `SCHEMA`, sorted by query_id, doc_id, out of core; see `pieces`.

        Args:
            queries: read only these; None: all.
            rows: rows of all teachers together that a range aims at.
            on_coverage: called with each range's counts.
        """
        for piece in self.pieces(queries, rows):
            if on_coverage:
                on_coverage(piece.coverage)
            yield from self.combine(piece).to_arrow().cast(SCHEMA).to_batches()

    def scores(self, teacher_id: str | None = None) -> pl.DataFrame:
        """query_id, doc_id, score (float32) of the ensemble, sorted by query_id, doc_id; kept in memory once read.

        Raises:
            StoreError: `teacher_id` is not the ensemble's, or scores are missing.
        """
        self.teacher(teacher_id)
        return self._all[0]

    @property
    def coverage(self) -> Coverage:
        """What is missing over the whole store, and what became of it."""
        return self._all[1]

    def candidates(self) -> pl.DataFrame:
        """The store's candidates; with the policy `intersect`, those with a score of every teacher."""
        found = self.store.candidates()
        return found.join(self.scores(), on=PAIR, how="semi") if self.missing == "intersect" else found

    def query_texts(self) -> Mapping[str, str]:
        """Query id -> text."""
        return self.store.query_texts()

    def document_texts(self) -> Mapping[str, str]:
        """Document id -> text."""
        return self.store.document_texts()

    def score_kinds(self) -> dict[str, str]:
        """What the store's teachers score in, and the ensemble."""
        return self.store.score_kinds() | {self.teacher_id: self.score_kind}

    def own_names(self, teacher_id: str) -> frozenset[str]:
        """The names under which the ensemble's own ranking, or a member's, may stand among the candidates."""
        return own_names(teacher_id, self.fingerprint)

    def derivation(self, teacher_id: str | None = None) -> Mapping[str, Any]:
        """What the scores were made from: the fingerprint, and the counts of missing scores."""
        return self.fingerprint | self.store.derivation() | self.counted(self.coverage)

    def counted(self, coverage: Coverage) -> dict[str, Any]:
        """What reading all scores tells besides: the counts of missing ones, and the percentiles clipped to."""
        bounds = {name: list(found) for name, found in self.bounds.items()}
        return {"coverage": coverage.to_json()} | ({"bounds": bounds} if bounds else {})

    @cached_property
    def _all(self) -> tuple[pl.DataFrame, Coverage]:
        coverage, parts = Coverage.nothing(self.members), [ranges.EMPTY.cast({"score": pl.Float32})]
        for piece in self.pieces():
            coverage += piece.coverage
            parts.append(self.combine(piece))
        return pl.concat(parts), coverage

    @cached_property
    def _positives(self) -> pl.DataFrame:
        return self.store.candidates().filter(pl.col("label") > 0).select(PAIR)

    def _require_one_kind(self) -> None:
        known = self.store.score_kinds()
        if len({known[name] for name in self.members}) > 1:
            raise ConfigError(
                expected="teachers of one score kind, since `none` averages raw scores",
                got=", ".join(f"{name}: {known[member]}" for member, name in self.names.items()),
                consequence="nothing was read: the mean of a logit and a rank means nothing",
                remedy="choose a calibration, such as zscore or rank",
            )

    def _contexts(self) -> dict[str, Context]:
        """What each member's calibration looks at."""
        query, scope = pl.col("query_id").rle_id(), self.calibration.reference
        if scope == "store" and self.reference is not None:
            target = self._store_moments(self.reference)
            return {name: Context(query, target, self._store_moments(name)) for name in self.members}
        target = Moments(pl.col("mean"), pl.col("deviation")) if scope == "query" else STANDARD
        bounds = self.bounds
        return {name: Context(query, target, bounds=bounds.get(name, (0.0, 0.0))) for name in self.members}

    def _like(self, members: Sequence[str], weights: Sequence[float]) -> Ensemble:
        found = Ensemble(
            self.store, members, self.calibrate, self.missing, list(weights), self.reference, self.combination
        )
        found._bounds = self._bounds
        return found

    def _bounds_of(self, name: str) -> Bounds:
        if name not in self._bounds:
            shards = self.store.shards(name)
            low, high = quantiles.quantiles(lambda: quantiles.scores_of(name, shards), CLIP)
            self._bounds[name] = low, high
        return self._bounds[name]

    def _store_moments(self, name: str) -> Moments:
        score = pl.col("score").cast(pl.Float64)
        scan = self.store.scan(name).select(score.mean().alias("mean"), score.std(ddof=0).alias("deviation"))
        mean, deviation = scan.collect(engine="streaming").row(0)
        return Moments(pl.lit(mean or 0.0), pl.lit(deviation or 0.0))

    def _calibrated(self, rows: pl.DataFrame, reference: pl.DataFrame, context: Context) -> pl.DataFrame:
        if self.calibration.reference == "query":
            rows = rows.join(reference, on="query_id", how="left", maintain_order="left")
        return rows.select(*PAIR, score=self.calibration.apply(pl.col("score"), context))

    def _no_reference(self, query_id: str) -> StoreError:
        return StoreError(
            expected=f"scores of the reference teacher {self.reference} for every query",
            got=f"none for query {query_id!r}",
            consequence="nothing was combined",
            remedy="choose a reference that scored every query, or leave the reference out",
        )


def _require_types(
    store: object, teachers: object, calibrate: object, missing: object, weights: object, reference: object
) -> None:
    """Raise ConfigError for an argument of another type than `Ensemble` says."""
    numbers = isinstance(weights, Sequence) and not isinstance(weights, str) and all(map(_is_number, weights))
    right = {
        "store to be a score store or its path": (store, isinstance(store, ScoreStore | str | os.PathLike)),
        "teachers to be a str or a sequence of str": (teachers, _are_texts(teachers)),
        "calibrate to be a str": (calibrate, isinstance(calibrate, str)),
        "missing to be a str": (missing, isinstance(missing, str)),
        "weights to be a sequence of numbers or None": (weights, weights is None or numbers),
        "reference to be a str or None": (reference, isinstance(reference, str | None)),
    }
    for expected, (value, fits) in right.items():
        if not fits:
            raise ConfigError(
                expected=f"{expected}, of Ensemble()",
                got=f"{value!r:.80} of type {type(value).__name__}",
                consequence="nothing was read",
                remedy="help(rankdistill.Ensemble) tells what each argument is",
            )


def _are_texts(value: object) -> bool:
    return isinstance(value, Sequence) and all(isinstance(one, str) for one in value)


def _is_number(value: object) -> bool:
    return isinstance(value, SupportsFloat) and not isinstance(value, str)


def _moments(rows: pl.DataFrame) -> pl.DataFrame:
    score = pl.col("score")
    return rows.group_by("query_id").agg(score.mean().alias("mean"), score.std(ddof=0).alias("deviation"))


def _distinct(members: Sequence[str]) -> list[str]:
    if members and len(set(members)) == len(members):
        return list(members)
    raise ConfigError(
        expected="at least one teacher, each once",
        got=", ".join(members) or "none",
        consequence="nothing was read",
        remedy="name each teacher once; weigh it with weights",
    )
