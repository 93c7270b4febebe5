"""A view that is joined range by range, on disk, is the one that is joined at once; so are hashes and draws."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from rankdistill import tables
from rankdistill.data import Dataset, spill
from rankdistill.errors import StoreError
from rankdistill.gate.outline import Outline
from rankdistill.gate.run import examine
from rankdistill.gate.subject import of_frames, of_store
from rankdistill.stores.reader import ScoreStore
from rankdistill.stores.writer import ScoreWriter
from rankdistill.training import inputs, known_positives, sampling, views
from rankdistill.training.false_negatives import NO_FILTER, FalseNegativeFilters
from rankdistill.training.views import View
from tests.training.conftest import MemoryStore

FIELDS = ("query_ids", "doc_ids", "query", "positive", "positive_score", "start", "negative", "negative_score")


@pytest.fixture
def frames() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Scores, and candidates of two sources, of 60 queries; some pairs have no score, some queries no label."""
    draw = np.random.default_rng(3)
    rows = [
        (f"q{query:02d}", f"d{doc:03d}", source, 1 if doc % 17 == query % 17 and query % 5 else None)
        for query in range(60)
        for source in ("a", "b")
        for doc in draw.choice(150, 25, replace=False).tolist()
    ]
    candidates = pl.DataFrame(
        rows, orient="row", schema={"query_id": pl.String, "doc_id": pl.String, "source": pl.String, "label": pl.Int32}
    )
    pairs = candidates.select("query_id", "doc_id").unique().sort("query_id", "doc_id")
    scores = pairs.with_columns(score=pl.Series(draw.integers(1, 40, pairs.height), dtype=pl.Float32))
    return scores.filter(pl.Series(draw.random(pairs.height) > 0.1)), candidates


class Teacher:
    """Scores pairs by their texts."""

    teacher_id, fingerprint, score_kind = "checksum-0", {"name": "checksum"}, "logit"

    def score(self, pairs: list[tuple[str, str]], progress: object = None) -> np.ndarray:
        return np.array([zlib.crc32("".join(pair).encode()) / 2**32 for pair in pairs], np.float32)


@pytest.fixture
def stored(tiny_data: Dataset, tiny_store: MemoryStore, tmp_path: Path) -> ScoreStore:
    """The candidates of `tiny_store`, twice: whole, and those of some queries under another source."""
    columns = tables.CANDIDATES.names
    frame = tiny_store.candidates().with_columns(rank=pl.lit(1), source_score=pl.lit(1.0))
    some = frame.filter(pl.col("query_id").hash(1) % 3 == 0).with_columns(source=pl.lit("other"))
    for number, one in enumerate((frame, pl.concat([frame, some]))):
        path = tmp_path / f"candidates-{number}.parquet"
        rows = one.select(columns).sort("query_id", "source", "rank", "doc_id").to_arrow().cast(tables.CANDIDATES)
        tables.write_parquet(path, rows)
        ScoreWriter(
            tmp_path / "store",
            queries=tiny_data.queries(),
            documents=tiny_data.contents,
            candidates=path,
            teacher=Teacher(),
            dataset_fingerprint="0" * 64,
            unit_size=20,
        ).run()
    return ScoreStore(tmp_path / "store")


def parts_of(frames: tuple[pl.DataFrame, pl.DataFrame], queries: int) -> views.Parts:
    ids = sorted(set(frames[1]["query_id"]))
    ranges = [ids[start : start + queries] for start in range(0, len(ids), queries)]
    return lambda: [(*(table.filter(pl.col("query_id").is_in(some)) for table in frames), None) for some in ranges]


def require_same(found: View, wanted: View) -> None:
    for name in (*FIELDS, "negative_sources"):
        one, other = getattr(found, name), getattr(wanted, name)
        assert list(one) == list(other), name
        assert getattr(one, "dtype", None) == getattr(other, "dtype", None), name
    assert found.report == wanted.report
    assert list(found.report.negatives_by_source) == list(wanted.report.negatives_by_source)


@pytest.mark.parametrize("queries", [1, 7, 60])
@pytest.mark.parametrize(
    "settings",
    [
        {"unlabelled": "top"},
        {"unlabelled": "skip", "few_negatives": "repeat"},
        {"positives_without_score": "maximum"},
        {"sources": ["b"]},
        {"filters": FalseNegativeFilters(max_percentile=60, min_margin=1)},
        {"filters": FalseNegativeFilters(max_share=0.9)},
    ],
    ids=str,
)
def test_ranges_make_the_view_of_the_whole(
    frames: tuple[pl.DataFrame, pl.DataFrame],
    queries: int,
    settings: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = views.build(*frames, 5, missing="drop", **settings)  # type: ignore[arg-type]
    monkeypatch.setattr(spill, "IN_MEMORY", 100)
    monkeypatch.setattr(spill, "WRITTEN_AT_ONCE", 50)
    monkeypatch.setattr(views, "_CODES_AT_ONCE", 13)
    found = views.build_parts(parts_of(frames, queries), 5, missing="drop", **settings)  # type: ignore[arg-type]
    assert isinstance(found.negative, np.memmap)
    require_same(found, wanted)
    assert found.report.rows > 10


def test_what_lacks_a_score_is_counted_over_all_ranges(frames: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    with pytest.raises(StoreError) as whole:
        views.build(*frames, 5)
    with pytest.raises(StoreError) as ranged:
        views.build_parts(parts_of(frames, 7), 5)
    assert str(ranged.value) == str(whole.value)


@pytest.mark.parametrize("how", ["uniform", "stratified"])
@pytest.mark.parametrize("at_once", [1, 50, 1000])
def test_rows_that_draw_by_and_by_draw_the_same(
    frames: tuple[pl.DataFrame, pl.DataFrame], monkeypatch: pytest.MonkeyPatch, how: str, at_once: int
) -> None:
    view = views.build(*frames, 3, missing="drop", unlabelled="top")
    documents, scores = sampling.sample(view, 3, how, (7, 1, 0))  # type: ignore[arg-type]
    parts = list(view.in_parts(at_once))
    monkeypatch.setattr(sampling, "NEGATIVES_AT_ONCE", at_once)
    by_and_by = sampling.sample(view, 3, how, (7, 1, 0))  # type: ignore[arg-type]
    np.testing.assert_array_equal(by_and_by[0], documents)
    np.testing.assert_array_equal(by_and_by[1], scores)
    assert sum(len(part.query) for part in parts) == len(view.query)
    assert len(parts) == (len(view.query) if at_once == 1 else len(parts))
    assert [negative for part in parts for negative in part.negative] == view.negative.tolist()


def test_draws_are_those_of_all_numbers_at_once(frames: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    """As they were drawn before rows drew by and by: one number a negative, then ten a row."""
    view = views.build(*frames, 3, missing="drop", unlabelled="top")
    generator = np.random.default_rng((7, 1, 0))
    counts = np.diff(view.start)
    row = np.repeat(np.arange(len(counts)), counts)
    noise, bin_order = generator.random(len(row)), generator.random((len(counts), sampling.MARGIN_BINS))
    bins = sampling.margin_bins(view)
    found, _ = sampling.sample(view, 3, "stratified", (7, 1, 0))
    for number, (start, end) in enumerate(zip(view.start, view.start[1:], strict=False)):
        turns = []
        for one in range(start, end):
            before = [other for other in range(start, end) if bins[other] == bins[one] and noise[other] < noise[one]]
            turns.append((len(before), bin_order[number, bins[one]], view.negative[one]))
        wanted = [negative for _, _, negative in sorted(turns)]
        assert found[number, 1:].tolist() == [wanted[place % len(wanted)] for place in range(3)]


def test_a_store_is_read_range_by_range(
    tiny_data: Dataset, stored: ScoreStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = stored.query_texts(), stored.document_texts()
    in_memory = MemoryStore(stored.scores(), stored.candidates(), *texts)
    found, wanted = (inputs.read(tiny_data, store, "train", None) for store in (stored, in_memory))
    monkeypatch.setattr(inputs, "PART_ROWS", 40)
    assert len(list(found.parts())) > 2
    for part, candidates in zip(found.parts(), found.candidate_parts(), strict=True):
        assert candidates.sort(candidates.columns).equals(part.candidates.sort(candidates.columns))
    assert found.sources == wanted.sources == ["bm25", "other"]
    assert found.hashes() == wanted.hashes()
    assert (found.held_out_queries, found.queries_not_in_data) == (wanted.held_out_queries, wanted.queries_not_in_data)
    views_of = []
    for one in (found, wanted):
        known = known_positives.gathered(tiny_data, (part.candidates for part in one.parts()), *texts)
        for declared in (False, True):
            hashed = known.hashes((part.candidates for part in one.parts()), True, declared)
            whole = known_positives.read(tiny_data, one.candidates, *texts)
            assert hashed == whole.hashes(True, declared)
        asked = [(*part, known.of(part.candidates)) for part in one.parts()]
        views_of.append(views.build_parts(lambda asked=asked: asked, 2))  # type: ignore[misc]
    require_same(*views_of)


def test_no_filter_needs_no_scores_of_positives() -> None:
    assert not NO_FILTER.of_all_positives
    assert not FalseNegativeFilters(max_score=1, min_margin=1).of_all_positives
    assert FalseNegativeFilters(max_share=0.9).of_all_positives


def test_the_gate_reads_of_many_shards_those_of_its_piece(
    tiny_data: Dataset, stored: ScoreStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A frame over all of them looks at each whenever it is collected: thousands of shards, hundreds of times."""
    shards = stored.shards()
    assert len(shards) > 5
    whole = stored.scan().collect()
    read: list[int] = []
    scan = tables.scan_parquet

    def counted(paths: Sequence[Path]) -> pl.LazyFrame:
        read.append(len(paths))
        return scan(paths)

    monkeypatch.setattr(tables, "scan_parquet", counted)
    near = stored.near()
    ids = sorted(whole["query_id"].unique())
    for first, last in ((ids[0], ids[0]), (ids[2], ids[5]), (ids[0], ids[-1]), ("a", "b")):
        between = pl.col("query_id").is_between(pl.lit(first), pl.lit(last))
        columns = ["query_id", "doc_id"]
        found = near(first, last).filter(between).sort(columns).collect()
        assert found.equals(whole.filter(between).sort(columns))
    assert read[0] < len(shards) // 2
    assert read[-1] == 1
    monkeypatch.setattr(Outline.spans, "__defaults__", (40,))
    of_inputs = inputs.read(tiny_data, stored, "train", None)
    subjects = [
        of_store(stored),
        replace(of_store(stored), teachers=[replace(one, near=None) for one in of_store(stored).teachers]),
        of_frames("s", of_inputs.scan_candidates, of_inputs.scan_scores, of_inputs.teacher_id, {}, near=of_inputs.near),
        of_frames("s", of_inputs.scan_candidates, of_inputs.scores, of_inputs.teacher_id, {}),
    ]
    reports = [[one.verdicts for one in examine(subject, "cosine").teachers] for subject in subjects]
    assert reports[0] == reports[1]
    assert reports[2] == reports[3]
