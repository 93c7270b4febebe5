"""The candidate table: labels, provenance, kept positives, and the artefact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rankdistill import manifest, tables
from rankdistill.data import Dataset, load
from rankdistill.errors import ConfigError, DataError, LockedError, StaleOutputError
from rankdistill.files import exclusive, hash_file
from rankdistill.fusion import Fusion, rrf
from rankdistill.mining import candidates
from rankdistill.mining.source import Hits
from rankdistill.mining.sources import Bm25Source, DenseSource
from rankdistill.mining.window import Window
from rankdistill.progress import Progress
from tests import arguana
from tests.recorded import record_again


@dataclass(frozen=True)
class FixedSource:
    """Returns the documents of the corpus in file order (or reversed), with score minus rank."""

    name: str = "fixed"
    reverse: bool = False
    inputs: Mapping[str, str] = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", self.inputs or {})

    @property
    def parameters(self) -> Mapping[str, Any]:
        return {"reverse": self.reverse}

    def retrieve(self, contents: Mapping[str, str], queries: Sequence[str], depth: int, progress: Progress) -> Hits:
        progress(len(contents) + len(queries))
        order = sorted(contents, reverse=self.reverse)[:depth]
        return [order for _ in queries], [-np.arange(1, len(order) + 1, dtype=np.float32) for _ in queries]


@pytest.fixture
def dataset(tiny_beir: Path) -> Dataset:
    return load(tiny_beir)


def frame(table: object) -> pl.DataFrame:
    return pl.DataFrame(table)


def expected_rows(dataset: Dataset, order: Sequence[str], depth: int, name: str) -> set[tuple[object, ...]]:
    """Straight from the definition, for a source that returns `order` for every query."""
    rows: set[tuple[object, ...]] = set()
    for query_id, labels in dataset.qrels("train").items():
        for rank, doc_id in enumerate(order[:depth], start=1):
            rows.add((query_id, doc_id, name, rank, float(-rank), labels.get(doc_id)))
        rows |= {(query_id, doc_id, name, None, None, 1) for doc_id in labels if doc_id not in order[:depth]}
    return rows


def test_rows_carry_rank_score_source_and_label(dataset: Dataset) -> None:
    table = candidates.mine(dataset, "train", [FixedSource()], 7)
    assert table.schema == tables.CANDIDATES
    assert set(frame(table).iter_rows()) == expected_rows(dataset, dataset.doc_ids, 7, "fixed")


def test_rows_are_sorted_with_unretrieved_positives_last(dataset: Dataset) -> None:
    found = frame(candidates.mine(dataset, "train", [FixedSource("b"), FixedSource("a", True)], 5))
    assert found.equals(found.sort("query_id", "source", "rank", "doc_id", nulls_last=True))


def test_every_positive_is_kept_for_every_source(dataset: Dataset) -> None:
    sources = [FixedSource("a"), FixedSource("b", True)]
    found = frame(candidates.mine(dataset, "train", sources, 4, window=Window(2, 3, sample=1)))
    relevant = {(query, doc) for query, labels in dataset.qrels("train").items() for doc in labels}
    for source in ("a", "b"):
        kept = found.filter((pl.col("label") > 0) & (pl.col("source") == source)).select("query_id", "doc_id")
        assert set(kept.iter_rows()) == relevant
        assert len(kept) == len(relevant)


def test_a_positive_outside_the_window_keeps_its_rank(dataset: Dataset) -> None:
    found = frame(candidates.mine(dataset, "train", [FixedSource()], 40, window=Window(30, 40)))
    outside = found.filter(pl.col("rank") < 30)
    assert len(outside) > 0
    assert outside["label"].min() == 1
    assert found["rank"].null_count() == 0


def test_two_sources_together_are_their_two_tables(dataset: Dataset) -> None:
    one, two = FixedSource("one"), FixedSource("two", True)
    window = Window(1, 9, sample=3, seed=4)
    both = frame(candidates.mine(dataset, "train", [one, two], 10, window=window))
    apart = [frame(candidates.mine(dataset, "train", [source], 10, window=window)) for source in (one, two)]
    assert set(both.iter_rows()) == set(pl.concat(apart).iter_rows())


def test_a_source_may_have_a_window_of_its_own(dataset: Dataset) -> None:
    sources = [FixedSource("one"), FixedSource("two", True)]
    found = frame(candidates.mine(dataset, "train", sources, 20, window=Window(1, 5), windows={"two": Window(11, 12)}))
    others = found.filter(pl.col("label").is_null())
    ranks = others.group_by("source").agg(pl.col("rank").min().alias("low"), pl.col("rank").max().alias("high"))
    assert set(ranks.iter_rows()) == {("one", 1, 5), ("two", 11, 12)}


def test_fusion_chooses_and_the_sources_say_where_they_had_it(dataset: Dataset) -> None:
    sources = [FixedSource("one"), FixedSource("two", True)]
    found = frame(candidates.mine(dataset, "train", sources, 30, window=Window(1, 6), fusion=Fusion()))
    lists = [{one: 0.0 for one in sorted(dataset.doc_ids, reverse=reverse)[:30]} for reverse in (False, True)]
    expected = list(rrf(lists))
    for query_id, labels in dataset.qrels("train").items():
        own = found.filter((pl.col("query_id") == query_id) & pl.col("label").is_null())
        chosen = [doc_id for doc_id in expected[:6] if doc_id not in labels]
        assert own.filter(pl.col("source") == "fused").sort("rank")["doc_id"].to_list() == chosen
        for name, ranking in zip(("one", "two"), lists, strict=True):
            rows = own.filter(pl.col("source") == name)
            assert dict(rows.select("doc_id", "rank").iter_rows()) == {
                doc_id: list(ranking).index(doc_id) + 1 for doc_id in chosen if doc_id in ranking
            }
    assert set(found["source"]) == {"one", "two", "fused"}
    assert found.filter(pl.col("label") > 0).group_by("query_id", "doc_id").len()["len"].unique().to_list() == [3]


def test_fusion_goes_into_the_manifest(dataset: Dataset, tmp_path: Path) -> None:
    sources = [FixedSource("one"), FixedSource("two", True)]
    candidates.build(tmp_path, dataset, "train", sources, 5, fusion=Fusion("z_score", (0.3, 0.7)))
    made = manifest.expect(tmp_path, "candidates", "mine").parameters
    assert made["fusion"] == {"method": "z_score", "weights": [0.3, 0.7]}
    with pytest.raises(StaleOutputError):
        candidates.build(tmp_path, dataset, "train", sources, 5, fusion=Fusion("z_score", (0.4, 0.6)))


@pytest.mark.parametrize(
    ("windows", "fusion", "said"),
    [
        ({"two": Window(1, 3)}, None, "one"),
        ({"one": Window(1, 3)}, Fusion(), "fused"),
        ({"one": Window(1, 99)}, None, "depth"),
        ({}, Fusion(weights=(1.0,)), "2 weights"),
    ],
)
def test_windows_and_weights_that_fit_no_source_are_refused(
    dataset: Dataset, windows: Mapping[str, Window], fusion: Fusion | None, said: str
) -> None:
    sources = [FixedSource("one"), FixedSource("other", True)]
    with pytest.raises(ConfigError, match=said):
        candidates.mine(dataset, "train", sources, 5, windows=windows, fusion=fusion)


def test_the_sample_is_drawn_among_the_others_than_positives(dataset: Dataset) -> None:
    found = frame(candidates.mine(dataset, "train", [FixedSource()], 40, window=Window(5, 35, sample=6)))
    drawn = found.filter(pl.col("label").is_null()).group_by("query_id").len()
    assert drawn["len"].to_list() == [6] * 12
    ranks = found.filter(pl.col("label").is_null())["rank"]
    assert (ranks.min(), ranks.max()) >= (5, 6)
    assert ranks.max() <= 35


def test_judged_non_relevant_documents_are_labelled_zero_not_kept_by_force(tiny_beir: Path) -> None:
    (tiny_beir / "qrels/train.tsv").write_text("query-id\tcorpus-id\tscore\nq00\td00\t0\nq00\td39\t0\nq00\td01\t-1\n")
    found = frame(candidates.mine(load(tiny_beir), "train", [FixedSource()], 3))
    assert list(found.select("doc_id", "label").iter_rows()) == [("d00", 0), ("d01", 0), ("d02", None)]


def test_limited_queries_are_a_growing_series_of_subsets(dataset: Dataset) -> None:
    queries = dataset.queries("train")
    three, six = (candidates.sample_queries(queries, limit) for limit in (3, 6))
    assert (len(three), len(six)) == (3, 6)
    assert set(three) < set(six) < set(queries)
    assert list(six) == [query_id for query_id in queries if query_id in six]
    assert candidates.sample_queries(queries, 99) == queries
    found = frame(candidates.mine(dataset, "train", [FixedSource()], 3, limit_queries=3))
    assert set(found["query_id"]) == set(three)
    with pytest.raises(ConfigError, match="at least 1"):
        candidates.sample_queries(queries, 0)


def test_progress_counts_each_text_once_a_source(dataset: Dataset) -> None:
    steps: list[int] = []
    candidates.mine(dataset, "train", [FixedSource(), Bm25Source()], 3, progress=steps.append)
    assert sum(steps) == 2 * (40 + 12)


def test_no_source_or_two_of_one_name_are_refused(dataset: Dataset) -> None:
    for sources in ([], [FixedSource(), FixedSource(reverse=True)]):
        with pytest.raises(ConfigError, match="own name"):
            candidates.mine(dataset, "train", sources, 3)


def test_bm25_finds_the_documents_of_the_query_words(dataset: Dataset) -> None:
    found = frame(candidates.mine(dataset, "train", [Bm25Source()], 10))
    first = found.filter(pl.col("rank") == 1)
    contents, queries = dataset.contents, dataset.queries()
    assert len(first) == 12
    assert all(set(queries[query].split()) & set(contents[doc].split()) for query, doc, *_ in first.iter_rows())


def test_build_writes_what_mine_returns_and_says_what_made_it(dataset: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "out"
    sources = [FixedSource(inputs={"model": "abc"})]
    assert candidates.build(out, dataset, "train", sources, 5, window=Window(2), command="mine it")
    assert candidates.read(out).equals(candidates.mine(dataset, "train", sources, 5, window=Window(2)))
    found = manifest.expect(out, "candidates", "mine")
    assert found.inputs == {
        "dataset": dataset.fingerprint,
        "qrels": dataset.qrels_hash("train"),
        "fixed.model": "abc",
    }
    assert found.parameters["ranks"] == [2, 5]
    assert found.parameters["sources"] == {"fixed": {"reverse": False}}
    assert found.command == "mine it"
    assert found.outputs == {"candidates.parquet": hash_file(out / "candidates.parquet")}


def test_the_same_again_does_nothing_and_other_settings_are_refused(dataset: Dataset, tmp_path: Path) -> None:
    assert candidates.build(tmp_path, dataset, "train", [Bm25Source()], 5)
    assert not candidates.build(tmp_path, dataset, "train", [Bm25Source()], 5)
    for sources, split, depth in (
        ([Bm25Source()], "train", 6),
        ([Bm25Source()], "dev", 5),
        ([Bm25Source(k1=1.2)], "train", 5),
    ):
        with pytest.raises(StaleOutputError):
            candidates.build(tmp_path, dataset, split, sources, depth)


def test_changed_judgements_make_the_output_stale(tiny_beir: Path, tmp_path: Path) -> None:
    candidates.build(tmp_path / "out", load(tiny_beir), "train", [Bm25Source()], 5)
    with (tiny_beir / "qrels/train.tsv").open("a") as stream:
        stream.write("q00\td39\t3\n")
    with pytest.raises(StaleOutputError, match="input 'qrels'"):
        candidates.build(tmp_path / "out", load(tiny_beir), "train", [Bm25Source()], 5)


def test_same_inputs_same_bytes(dataset: Dataset, tmp_path: Path) -> None:
    for name in ("a", "b"):
        candidates.build(tmp_path / name, dataset, "train", [Bm25Source()], 9, window=Window(sample=4))
    for file in ("candidates.parquet", "manifest.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_a_second_writer_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    with exclusive(tmp_path), pytest.raises(LockedError):
        candidates.build(tmp_path, dataset, "train", [Bm25Source()], 5)


def test_reading_what_is_absent_unfinished_or_damaged_is_an_error(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="rankdistill mine"):
        candidates.read(tmp_path / "absent")
    out = tmp_path / "out"
    candidates.build(out, dataset, "train", [Bm25Source()], 5)
    pq.write_table(candidates.read(out).drop(["rank"]), out / "candidates.parquet")
    record_again(out)
    with pytest.raises(DataError, match="rank is missing"):
        candidates.read(out)
    (out / "candidates.parquet").write_text("no parquet")
    with pytest.raises(DataError, match="a whole Parquet file"):
        candidates.read(out)


def test_dense_source_agrees_with_sentence_transformers(dataset: Dataset, tiny_encoder: str) -> None:
    from sentence_transformers import SentenceTransformer

    found = frame(candidates.mine(dataset, "train", [DenseSource(tiny_encoder)], 5))
    model = SentenceTransformer(tiny_encoder, device="cpu")
    queries = dataset.queries("train")
    scores = model.encode(list(queries.values())) @ model.encode(list(dataset.contents.values())).T
    for query_id, row in zip(queries, scores, strict=True):
        own = found.filter((pl.col("query_id") == query_id) & pl.col("rank").is_not_null())
        assert own["source_score"].to_list() == pytest.approx(sorted(row.tolist(), reverse=True)[:5], abs=1e-4)


def test_dense_source_records_the_weights(tiny_encoder: str) -> None:
    assert len(DenseSource(tiny_encoder).inputs["model"]) == 64


def test_the_querys_own_document_is_no_candidate_and_lists_keep_their_depth(tmp_path: Path) -> None:
    folder = arguana.write(tmp_path / "arguana")
    dataset, kept = load(folder), load(folder, ignore_identical_ids=False)
    for fusion in (None, Fusion()):
        found = frame(candidates.mine(dataset, "test", [FixedSource(), FixedSource("b", True)], 15, fusion=fusion))
        assert found.filter(pl.col("query_id") == pl.col("doc_id")).is_empty()
        lists = found.filter(pl.col("rank").is_not_null())
        if fusion is not None:  # it chooses, and not every document of the others
            lists = lists.filter(pl.col("source") == "fused")
        ranks = lists.group_by("query_id", "source").agg(pl.col("rank").sort())
        assert len(ranks) == 12 * (2 if fusion is None else 1)
        assert all(row == list(range(1, 16)) for row in ranks["rank"].to_list())
    every = frame(candidates.mine(kept, "test", [FixedSource("b", True)], 15))
    assert every.filter(pl.col("query_id") == pl.col("doc_id")).height == 12
    candidates.build(tmp_path / "c", dataset, "test", [FixedSource()], 3)
    with pytest.raises(StaleOutputError, match="own_documents_left_out"):
        candidates.build(tmp_path / "c", kept, "test", [FixedSource()], 3)


def test_judged_documents_that_the_corpus_lacks_are_no_candidates(dataset: Dataset, tmp_path: Path) -> None:
    """They have no text; the other rows, and the identity, are what they are without them."""
    whole = frame(candidates.mine(dataset, "train", [FixedSource()], 3))
    before = candidates.build(tmp_path / "c", dataset, "train", [FixedSource()], 3)
    with (dataset.path / "qrels/train.tsv").open("a") as stream:
        stream.write("q00\tgone\t1\n")
    changed = load(dataset.path)
    assert frame(candidates.mine(changed, "train", [FixedSource()], 3)).equals(whole)
    assert before
    assert "dangling_judgements" not in manifest.expect(tmp_path / "c", "candidates", "mine").parameters


def test_a_label_that_its_column_cannot_hold_is_an_error_of_ours(dataset: Dataset, tmp_path: Path) -> None:
    candidates.build(tmp_path / "c", dataset, "train", [Bm25Source()], 2)
    path = tmp_path / "c" / "candidates.parquet"
    table = pq.read_table(path)
    large = pa.array([10**10] * len(table), pa.int64())
    pq.write_table(table.set_column(table.schema.get_field_index("label"), "label", large), path)
    with pytest.raises(DataError, match=r"candidates\.parquet"):
        candidates.read(tmp_path / "c")
