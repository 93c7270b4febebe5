"""The shapes in which others publish scores, read from files written by hand."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rankdistill.errors import DataError
from rankdistill.formats.importing import Imported, Request, import_candidates
from rankdistill.mining import candidates as mined
from rankdistill.stores.keys import text_hash
from tests.formats.conftest import Import, positives_of, scores_of

ID_ROWS = {("1", "10"): 2.5, ("1", "11"): -1.25}


def write(path: Path, *records: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(list(records)), path)
    else:
        data = "".join(one if isinstance(one, str) else json.dumps(one) + "\n" for one in records).encode()
        path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize(
    ("name", "file", "records"),
    [
        ("hofstatter", "a.tsv", ["2.5\t-1.25\t1\t10\t11\n"]),
        ("hofstatter", "a.tsv.gz", ["2.5\t-1.25\t1\t10\t11\r\n"]),
        ("trec-run", "a.run", ["1 Q0 10 1 2.5 tag\n", "1\tQ0\t11\t2\t-1.25\ttag\n"]),
        ("run-tsv", "a.tsv", ["1 10 1 2.5\n\n", "1\t11\t2\t-1.25\n"]),
        ("rank-distillm", "a.run", ["1 0 10 1 2.5 tag\n", "1 0 11 2 -1.25 tag\n"]),
        (
            "rank-distillm",
            "a.parquet",
            [
                {"query_id": "1", "doc_id": "10", "rank": 1, "score": 2.5},
                {"query_id": "1", "doc_id": "11", "rank": 2, "score": -1.25},
            ],
        ),
        ("colbert", "a.jsonl", [[1, [10, 2.5], [11, -1.25]]]),
        ("colbert", "a.jsonl", [[1, 10, 2.5, 11, -1.25]]),
        ("disco", "a.json", [{"1": {"10": 2.5, "11": -1.25}}]),
        ("disco", "a.json", ['{\n "1": {"10": 2.5,\n "11": -1.25}\n}\n']),
        ("disco", "a.jsonl", [{"1": {"10": 2.5}}, {"1": {"11": -1.25}}]),
        ("lighton", "a.parquet", [{"query_id": 1, "document_ids": ["10", "11"], "scores": [2.5, -1.25]}]),
        ("lighton", "a.jsonl", [{"query_id": "1", "document_ids": "['10', '11']", "scores": "[2.5, -1.25]"}]),
        ("lighton", "a.jsonl", [{"query_id": "1", "document_ids": "[10, 11]", "scores": '["2.5", "-1.25"]'}]),
        (
            "msmarco-hard-negatives",
            "a.jsonl.gz",
            [{"qid": 1, "pos": [{"pid": 10, "ce-score": 2.5}], "neg": {"bm25": [{"pid": 11, "ce-score": -1.25}]}}],
        ),
        (
            "sentence-transformers/msmarco",
            "a.parquet",
            [
                {"query_id": 1, "passage_id": 10, "score": 2.5},
                {"query_id": 1, "passage_id": 11, "score": -1.25},
            ],
        ),
    ],
)
def test_files_of_ids(imported: Import, tmp_path: Path, name: str, file: str, records: list[Any]) -> None:
    store = imported(name, write(tmp_path / file, *records))
    assert scores_of(store) == ID_ROWS
    assert not store.has_texts


@pytest.mark.parametrize(
    ("name", "record"),
    [
        ("flagembedding", {"query": "q", "pos": ["a"], "neg": ["b"], "pos_scores": [2.5], "neg_scores": [-1.25]}),
        ("opensearch", {"query": "q", "docs": ["a", "b"], "scores": [2.5, -1.25]}),
        ("sentence-transformers", {"query": "q", "positive": "a", "negative": "b", "label": [2.5, -1.25]}),
        ("sentence-transformers", {"anchor": "q", "positive": "a", "negative_1": "b", "scores": [2.5, -1.25]}),
        ("sentence-transformers", {"labels": [2.5, -1.25], "question": "q", "answer": "a", "other": "b"}),
    ],
)
def test_files_of_texts_get_ids_from_their_content(imported: Import, tmp_path: Path, name: str, record: Any) -> None:
    store = imported(name, write(tmp_path / "a.jsonl", record))
    query, good, bad = (text_hash(text).hex() for text in ("q", "a", "b"))
    assert scores_of(store) == {(query, good): 2.5, (query, bad): -1.25}
    assert store.query_texts() == {query: "q"}
    assert store.document_texts() == {good: "a", bad: "b"}


@pytest.mark.parametrize(
    "record",
    [
        {"query": "q", "positive": "a", "negative": "b", "score": 3.75},
        {"query": "q", "positive": "a", "negative": "b", "label": [3.75]},
    ],
)
def test_one_number_for_three_texts_is_a_margin(imported: Import, tmp_path: Path, record: Any) -> None:
    store = imported("sentence-transformers", write(tmp_path / "a.jsonl", record))
    assert sorted(scores_of(store).values()) == [-3.75, 0.0]


def test_tevatron_reads_titles_and_scores(imported: Import, tmp_path: Path) -> None:
    record = {
        "query_id": "1",
        "query": "q",
        "positive_passages": [{"docid": "10", "title": "T", "text": "good", "score": 2.5}],
        "negative_passages": [{"docid": "11", "title": "", "text": "bad", "score": -1.25}],
    }
    store = imported("tevatron", write(tmp_path / "a.jsonl", record))
    assert scores_of(store) == ID_ROWS
    assert store.document_texts() == {"10": "T good", "11": "bad"}
    assert positives_of(store) == {("1", "10")}


@pytest.mark.parametrize("layout", ["published", "plain"])
def test_lighton_folders_join_texts(imported: Import, tmp_path: Path, layout: str) -> None:
    names = ["dataset", "english_queries.train", "english_collection"] if layout == "published" else []
    train, queries, documents = names or ["train", "queries", "documents"]
    root = tmp_path / "lighton"
    write(root / f"{train}.parquet", {"query_id": "1", "document_ids": ["10", "11"], "scores": [2.5, -1.25]})
    write(root / f"{queries}.parquet", {"query_id": "1", "text": "q"})
    write(root / f"{documents}.parquet", {"document_id": "10", "text": "good"}, {"document_id": "11", "text": "bad"})
    store = imported("lighton", root)
    assert scores_of(store) == ID_ROWS
    assert store.query_texts() == {"1": "q"}


def test_msmarco_folders_join_texts_to_margins(imported: Import, tmp_path: Path) -> None:
    root = tmp_path / "msmarco"
    rows = [{"query_id": 1, "positive_id": 10, "negative_id": negative, "score": 3.0} for negative in (11, 12)]
    write(root / "triplets" / "train-00000-of-00001.parquet", *rows)
    write(root / "queries" / "train-00000-of-00001.parquet", {"query_id": 1, "query": "q"})
    passages = [{"passage_id": number, "passage": f"p{number}"} for number in (10, 11, 12)]
    write(root / "corpus" / "train-00000-of-00001.parquet", *passages)
    store = imported("sentence-transformers/msmarco", root)
    assert scores_of(store) == {("1", "10"): 0.0, ("1", "11"): -3.0, ("1", "12"): -3.0}
    assert store.document_texts()["12"] == "p12"


def test_files_without_scores_become_candidates(tmp_path: Path) -> None:
    record = {"qid": 1, "pos": [10], "neg": {"bm25": [11, 12], "dense": [12, 13]}}
    path = write(tmp_path / "hard.jsonl", record)
    import_candidates(Request("msmarco-hard-negatives", [path], "hard"), tmp_path / "out")
    rows = [tuple(row.values()) for row in mined.read(tmp_path / "out").to_pylist()]
    assert rows == [
        ("1", "11", "bm25", 1, None, None),
        ("1", "12", "bm25", 2, None, None),
        ("1", "12", "dense", 1, None, None),
        ("1", "13", "dense", 2, None, None),
        ("1", "10", "hard", None, None, 1),
    ]


def test_flat_colbert_triples_are_candidates_with_the_positive_first(tmp_path: Path) -> None:
    path = write(tmp_path / "triples.json", [1, 10, 11], [1, 10, 12])
    import_candidates(Request("colbert", [path], "triples"), tmp_path / "out")
    rows = mined.read(tmp_path / "out").to_pylist()
    assert {row["doc_id"]: row["label"] for row in rows} == {"10": 1, "11": None, "12": None}


def test_without_a_score_column_the_rank_counts(imported: Import, tmp_path: Path) -> None:
    rows = [{"query_id": "1", "doc_id": "10", "rank": 1}, {"query_id": "1", "doc_id": "11", "rank": 2}]
    assert scores_of(imported("rank-distillm", write(tmp_path / "a.parquet", *rows))) == {
        ("1", "10"): -1.0,
        ("1", "11"): -2.0,
    }


@pytest.mark.parametrize(
    ("name", "record", "said"),
    [
        ("hofstatter", "1.0\t2.0\tq\tp\n", "a.jsonl:2: 4 columns, not 5"),
        ("hofstatter", "x\t2.0\tq\tp\tn\n", "a.jsonl:2: the score 'x' is no number"),
        ("hofstatter", "nan\t2.0\tq\tp\tn\n", "a.jsonl:2: the score 'nan' is not finite"),
        ("hofstatter", "1e39\t2.0\tq\tp\tn\n", "a.jsonl:2: the score 1e+39 is not finite"),
        ("hofstatter", "1\t2.0\tq\t\tn\n", "a.jsonl:2: an empty id"),
        ("run-tsv", "q d one 1.0\n", "the rank 'one' is no integer"),
        ("trec-run", "q Q0 d 1 inf tag\n", "not finite"),
        ("colbert", '[1, [10, "x"]]\n', "the score 'x' is no number"),
        ("colbert", "[1, [10, 1.0, 2.0]]\n", "no [pid, score]"),
        ("colbert", "[1, 10, 1.0, 11]\n", "a score for each document"),
        ("colbert", "[1, 10\n", "broken JSON"),
        ("disco", '{"1": [1.0]}\n', "not an object"),
        ("disco", '{"1": {"10": NaN}}\n', "not finite"),
        ("lighton", '{"query_id": 1, "document_ids": "[1, 2]", "scores": [1.0]}\n', "2 and 1 entries"),
        ("lighton", '{"query_id": 1, "document_ids": "__import__(1)", "scores": [1.0]}\n', "holds no list"),
        ("lighton", '{"query_id": 1, "document_ids": [true], "scores": [1.0]}\n', "the id True"),
        ("flagembedding", '{"query": "q", "pos": ["a"], "neg": [], "pos_scores": [1]}\n', "missing 'neg_scores'"),
        (
            "flagembedding",
            '{"query": "q", "pos": ["a"], "neg": ["b"], "pos_scores": [1], "neg_scores": []}\n',
            "1 and 0",
        ),
        ("flagembedding", '{"query": "q", "pos": ["a"], "neg": ["b"]}\n', "no score"),
        ("flagembedding", '{"query": " ", "pos": ["a"], "neg": ["b"]}\n', "the query is empty"),
        ("flagembedding", "[]\n", "a JSON list, not an object"),
        ("tevatron", '{"query_id": 1, "query": "q", "positive_passages": [3]}\n', "not an object"),
        ("sentence-transformers", '{"query": "q", "positive": "a", "score": 1, "label": 1}\n', "['score', 'label']"),
        ("sentence-transformers", '{"query": "q", "positive": "a"}\n', "got none"),
        ("sentence-transformers", '{"query_id": "1", "query": "q", "positive": "a", "label": 1}\n', "trained on"),
        (
            "sentence-transformers",
            '{"query": "q", "positive": "a", "negative": "b", "label": [1, 2, 3]}\n',
            "2 documents take as many scores",
        ),
        ("opensearch", '{"query": "q", "docs": ["a", "b"], "scores": [1.0]}\n', "2 and 1 entries"),
        ("msmarco-hard-negatives", '{"qid": 1, "pos": [], "neg": [3]}\n', "not an object of systems"),
        ("msmarco-hard-negatives", '{"qid": 1, "pos": [10], "neg": {}}\n', "no score"),
        ("gpl", "q p n\n", "1 columns, not 4"),
    ],
)  # fmt: skip
def test_bad_rows_are_named_and_nothing_is_stored(
    run_import: Callable[..., Imported], tmp_path: Path, name: str, record: str, said: str
) -> None:
    path = write(tmp_path / "a.jsonl", "\n", record)
    with pytest.raises(DataError) as raised:
        run_import(name, path)
    assert "a.jsonl:2: " in str(raised.value)
    assert said in str(raised.value)
    assert not (tmp_path / "imported").exists()


def test_lenient_counts_the_rows_it_leaves_out(run_import: Callable[..., Imported], tmp_path: Path) -> None:
    lines = [f"q d{number} 1 {'nan' if number % 3 == 0 else number}\n" for number in range(6000)]
    done = run_import("run-tsv", write(tmp_path / "a.tsv", *lines), lenient=True)
    assert (done.pairs, done.rejected, len(done.reports)) == (4000, 2000, 1000)


def test_a_file_of_another_format_ends_early(run_import: Callable[..., Imported], tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", *["no such row\n"] * 5000)
    with pytest.raises(DataError, match="1000 bad rows"):
        run_import("hofstatter", path)


def test_a_truncated_parquet_file_is_refused(run_import: Callable[..., Imported], tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", {"query_id": "1", "doc_id": "10", "rank": 1, "score": 2.5})
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="a readable Parquet file"):
        run_import("rank-distillm", path)


def test_a_truncated_gzip_file_is_refused(run_import: Callable[..., Imported], tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv.gz", *[f"q d{number} 1 {number}\n" for number in range(3000)])
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(DataError, match="a readable file"):
        run_import("run-tsv", path)


def test_flat_colbert_lines_hold_scores_if_one_of_the_file_does(imported: Import, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", ["q1", 10, 2, 11, 1], ["q2", 10, 2.5, 11, 1])
    assert scores_of(imported("colbert", path)) == {
        ("q1", "10"): 2.0,
        ("q1", "11"): 1.0,
        ("q2", "10"): 2.5,
        ("q2", "11"): 1.0,
    }


@pytest.mark.parametrize("listed", ["[5_5]", "[0x10]", "['1' '2']", "['1'\n '2']"])
def test_lists_in_texts_hold_what_is_written(run_import: Callable[..., Imported], tmp_path: Path, listed: str) -> None:
    path = write(tmp_path / "a.jsonl", {"query_id": 1, "document_ids": listed, "scores": [1.0]})
    with pytest.raises(DataError, match="not plain or without commas"):
        run_import("lighton", path)


def test_texts_in_such_lists_may_look_like_numbers(imported: Import, tmp_path: Path) -> None:
    record = {"query_id": 1, "document_ids": "['5_5', \"it's 0x1\"]", "scores": [1.0, 2.0]}
    assert scores_of(imported("lighton", write(tmp_path / "a.jsonl", record))) == {
        ("1", "5_5"): 1.0,
        ("1", "it's 0x1"): 2.0,
    }


def test_one_pair_with_two_labels_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.qrels", "1 0 10 1\n", "1 0 10 2\n")
    with pytest.raises(DataError, match=r"a\.qrels:2: query '1' and document '10' have the label 2, and 1 elsewhere"):
        import_candidates(Request("trec-qrels", [path], "T"), tmp_path / "out")


@pytest.mark.parametrize("title", [None, ""])
def test_a_title_of_null_is_none(imported: Import, tmp_path: Path, title: str | None) -> None:
    passage = {"docid": "10", "title": title, "text": "t", "score": 1}
    record = {"query_id": "1", "query": "q", "positive_passages": [passage], "negative_passages": []}
    assert imported("tevatron", write(tmp_path / "a.jsonl", record)).document_texts() == {"10": "t"}
