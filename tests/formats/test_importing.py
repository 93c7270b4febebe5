"""What an import leaves in a store, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from rankdistill import manifest, tables
from rankdistill.data import Dataset
from rankdistill.errors import ConfigError, DataError, StaleOutputError, StoreError
from rankdistill.formats import spool
from rankdistill.formats.importing import Imported, Request, import_scores
from rankdistill.formats.rows import Row
from rankdistill.stores.keys import pair_key, text_hash
from rankdistill.stores.reader import ScoreStore
from tests.formats.conftest import Import, Table, positives_of, scores_of

Run = Callable[..., Imported]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def test_ids_alone_make_a_store_that_says_so(imported: Import, run_file: Path, table: Table) -> None:
    store = imported("run-tsv", run_file, score_kind="dot")
    assert scores_of(store) == table
    fingerprint = store.fingerprint(store.teacher("T"))
    assert (fingerprint["kind"], fingerprint["format"], fingerprint["score_kind"]) == ("table", "run-tsv", "dot")
    assert store.manifest.parameters["keyed_by"] == "ids"
    with pytest.raises(StoreError, match="--data"):
        store.query_texts()
    with pytest.raises(StoreError, match="--data"):
        store.document_texts()


def test_a_collection_gives_a_store_of_ids_its_texts(
    imported: Import, run_file: Path, dataset: Dataset, tmp_path: Path
) -> None:
    imported("run-tsv", run_file)
    store = ScoreStore(tmp_path / "imported", dataset)
    assert store.query_texts() == dataset.queries(None)
    assert store.document_texts() == dataset.contents


def test_with_a_collection_keys_are_those_of_the_texts(store: ScoreStore, dataset: Dataset, table: Table) -> None:
    rows = store.scan().collect()
    assert rows.equals(rows.sort("query_id", "doc_id"))
    teacher, texts = store.teacher(), dataset.queries(None)
    for query_id, doc_id, _, score, key in rows.iter_rows():
        assert key == pair_key(text_hash(texts[query_id]), text_hash(dataset.contents[doc_id]), teacher)
        assert score == table[query_id, doc_id]
    assert set(store.query_texts()) == {query_id for query_id, _ in table}
    assert positives_of(store) == {
        (query_id, doc_id) for query_id, labels in dataset.qrels("train").items() for doc_id in labels
    }


def test_candidates_are_ranked_by_score_whatever_the_rank_column_says(store: ScoreStore) -> None:
    rows = store.candidates()
    assert rows.schema.names() == tables.CANDIDATES.names
    assert rows["source"].unique().to_list() == ["teacher"]
    for query in rows.partition_by("query_id"):
        assert query["rank"].to_list() == list(range(1, query.height + 1))
        assert query["source_score"].is_sorted(descending=True)


def test_equal_scores_keep_the_order_of_the_rows(imported: Import, tmp_path: Path) -> None:
    path = tmp_path / "run.tsv"
    path.write_text("q z 1 1.0\nq a 2 1.0\nq m 3 2.0\n")
    assert imported("run-tsv", path).candidates()["doc_id"].to_list() == ["m", "z", "a"]


def test_the_same_import_twice_changes_nothing(run_import: Run, run_file: Path, tmp_path: Path) -> None:
    assert run_import("run-tsv", run_file).added
    before = contents(tmp_path / "imported")
    assert not run_import("run-tsv", run_file).added
    assert contents(tmp_path / "imported") == before


def test_row_order_does_not_change_the_scores_of_a_store(run_import: Run, run_file: Path, tmp_path: Path) -> None:
    run_import("run-tsv", run_file, store="one")
    run_file.write_text("".join(sorted(run_file.read_text().splitlines(keepends=True))))
    run_import("run-tsv", run_file, store="two")
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert one == two


def test_another_table_under_the_same_name_is_refused(run_import: Run, run_file: Path, tmp_path: Path) -> None:
    run_import("run-tsv", run_file)
    before = contents(tmp_path / "imported")
    other = tmp_path / "other.tsv"
    other.write_text(run_file.read_text() + "q00 d39 1 0.5\n")
    with pytest.raises(StaleOutputError, match="another content"):
        run_import("run-tsv", other)
    with pytest.raises(StaleOutputError, match="score_kind"):
        run_import("run-tsv", run_file, score_kind="cosine")
    assert contents(tmp_path / "imported") == before


def test_other_labels_under_the_same_name_are_refused(run_import: Run, run_file: Path, dataset: Dataset) -> None:
    run_import("run-tsv", run_file, dataset=dataset, split="train")
    with pytest.raises(StaleOutputError, match="ranks or labels"):
        run_import("run-tsv", run_file, dataset=dataset, split="dev")


def test_several_tables_make_several_teachers(imported: Import, run_file: Path, table: Table, tmp_path: Path) -> None:
    imported("run-tsv", run_file, name="A")
    other = tmp_path / "other.tsv"
    other.write_text("q00 d01 1 3.5\n")
    store = imported("run-tsv", other, name="B")
    assert len(store.teacher_ids) == 2
    assert scores_of(store, "A") == table
    assert scores_of(store, "B") == {("q00", "d01"): 3.5}
    assert set(store.candidates()["source"]) == {"A", "B"}


def test_ids_and_texts_do_not_mix(run_import: Run, run_file: Path, dataset: Dataset, tmp_path: Path) -> None:
    run_import("run-tsv", run_file, store="ids", name="A")
    run_import("run-tsv", run_file, store="texts", name="A", dataset=dataset)
    before = contents(tmp_path / "ids"), contents(tmp_path / "texts")
    with pytest.raises(StoreError, match="keyed by ids"):
        run_import("run-tsv", run_file, store="ids", name="B", dataset=dataset)
    assert (contents(tmp_path / "ids"), contents(tmp_path / "texts")) == before
    run_import("run-tsv", run_file, store="texts", name="B")
    store = ScoreStore(tmp_path / "texts")
    assert "keyed_by" not in store.fingerprint(store.teacher("B")), "ids stand for the store's own texts"


def test_ids_that_a_store_of_texts_lacks_are_refused(
    run_import: Run, run_file: Path, dataset: Dataset, tmp_path: Path
) -> None:
    run_import("run-tsv", run_file, store="texts", name="A", dataset=dataset)
    before, other = contents(tmp_path / "texts"), tmp_path / "other.tsv"
    first, *_ = run_file.read_text().splitlines()
    query_id, _, *rest = first.split()
    other.write_text("\t".join([query_id, "nowhere", *rest]) + "\n")
    with pytest.raises(DataError, match="unknown document 'nowhere' of the store's texts"):
        run_import("run-tsv", other, store="texts", name="B")
    assert contents(tmp_path / "texts") == before


@pytest.mark.parametrize("stop_at", [1, 2, 5])
def test_a_killed_import_goes_on_and_ends_the_same(
    run_import: Run, run_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_at: int
) -> None:
    from rankdistill.stores import importing

    monkeypatch.setattr(importing, "SHARD_ROWS", 10)
    run_import("run-tsv", run_file, store="whole")
    write, written = tables.write_parquet, []

    def killed(path: Path, rows: object) -> None:
        if len(written) == stop_at:
            raise KeyboardInterrupt
        written.append(path)
        write(path, rows)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(tables, "write_parquet", killed)
        with pytest.raises(KeyboardInterrupt):
            run_import("run-tsv", run_file)
    assert manifest.read(tmp_path / "imported") is None
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "imported").rglob("part-*")}
    assert len(kept) == stop_at
    run_import("run-tsv", run_file)
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    assert contents(tmp_path / "imported") == contents(tmp_path / "whole")


def test_pairs_that_repeat_count_once(imported: Import, tmp_path: Path) -> None:
    path = tmp_path / "triples.tsv"
    path.write_text("5.5\t1.0\tq\tp\tn1\n5.5\t2.0\tq\tp\tn2\n5.5\t1.0\tq\tp\tn1\n")
    store = imported("hofstatter", path)
    assert scores_of(store) == {("q", "p"): 5.5, ("q", "n1"): 1.0, ("q", "n2"): 2.0}
    assert positives_of(store) == {("q", "p")}


def test_a_positive_of_one_row_and_negative_of_another_is_a_positive(imported: Import, tmp_path: Path) -> None:
    path = tmp_path / "triples.tsv"
    path.write_text("5.5\t4.0\tq\tp1\tp2\n4.0\t1.0\tq\tp2\tn\n")
    assert positives_of(imported("hofstatter", path)) == {("q", "p1"), ("q", "p2")}


def test_two_scores_of_one_pair_are_refused_with_both_places(run_import: Run, tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("q d 1 1.0\nq e 2 0.5\n")
    (tmp_path / "b.tsv").write_text("q f 1 1.0\nq d 2 0.25\n")
    with pytest.raises(DataError, match=r"b\.tsv:2: query 'q' and document 'd' have the score 0\.25, and 1 elsewhere"):
        run_import("run-tsv", tmp_path / "a.tsv", tmp_path / "b.tsv")
    done = run_import("run-tsv", tmp_path / "a.tsv", tmp_path / "b.tsv", lenient=True)
    assert (done.pairs, done.rejected) == (3, 1)


def test_unknown_ids_are_refused_or_counted(run_import: Run, dataset: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "run.tsv"
    path.write_text("q00 d01 1 1.0\nq00 nowhere 2 0.5\nq99 d01 1 0.5\n")
    with pytest.raises(DataError) as raised:
        run_import("run-tsv", path, dataset=dataset)
    assert "run.tsv:2: unknown document 'nowhere'" in str(raised.value)
    assert "run.tsv:3: unknown query 'q99'" in str(raised.value)
    assert run_import("run-tsv", path, dataset=dataset, lenient=True).rejected == 2


def test_texts_that_the_collection_lacks_are_unknown(run_import: Run, dataset: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "flag.jsonl"
    path.write_text('{"query": "no such query", "pos": ["a"], "neg": ["b"], "pos_scores": [1], "neg_scores": [0]}\n')
    with pytest.raises(DataError, match="no text of the collection is 'no such query'"):
        run_import("flagembedding", path, dataset=dataset)


def test_a_text_that_differs_from_the_collection_is_refused(run_import: Run, dataset: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "tevatron.jsonl"
    path.write_text('{"query_id": "q00", "query": "changed", "positive_passages": [], "negative_passages": []}\n')
    with pytest.raises(DataError, match="'q00' has another text"):
        run_import("tevatron", path, dataset=dataset)


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"score_kind": "stars"}, "a score kind among logit"),
        ({"split": "train"}, "--data with --split"),
        ({"name": " "}, "a name for the teacher"),
    ],
)
def test_wrong_choices_are_explained(run_import: Run, run_file: Path, choices: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        run_import("run-tsv", run_file, **choices)


def test_an_unknown_format_lists_those_there_are(run_import: Run, run_file: Path) -> None:
    with pytest.raises(ConfigError, match="hofstatter"):
        run_import("no-such-format", run_file)


def test_an_absent_or_empty_input_is_refused(run_import: Run, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is none"):
        run_import("run-tsv", tmp_path / "absent")
    (tmp_path / "empty.tsv").write_text("\n")
    with pytest.raises(DataError, match="none that can be used"):
        run_import("run-tsv", tmp_path / "empty.tsv")


def test_sorting_in_pieces_gives_the_same_as_in_one(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    rows = [
        Row(line, f"q{generator.integers(40)}", f"d{generator.integers(1000)}", float(line)) for line in range(1, 3001)
    ]
    small = spool.Spool(tmp_path, piece_rows=97)
    small.extend(2, rows)
    ranges = list(small.ranges(range_rows=150))
    assert len(small.pieces) > 20
    assert len(ranges) > 10
    queries = [set(part["query_id"]) for part in ranges]
    assert sum(map(len, queries)) == len(set.union(*queries))
    found = pl.concat(ranges)
    expected = sorted(rows, key=lambda row: (row.query_id, row.doc_id))  # stable
    assert found["value"].to_list() == [row.value for row in expected]
    assert [spool.file_and_line(place) for place in found["place"]] == [(2, row.line) for row in expected]


def test_progress_counts_rows_read_and_written(run_file: Path, table: Table, tmp_path: Path) -> None:
    seen: list[int] = []
    import_scores(Request("run-tsv", [run_file], "T"), tmp_path / "out", progress=seen.append)
    assert sum(seen) == 2 * len(table)
