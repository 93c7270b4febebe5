"""Queries, judgements and clicks: what is one query, which split it is in, what a click is worth."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from rankdistill.data.beir import UNJUDGED
from rankdistill.data.converting.build import judged_without_split
from rankdistill.data.converting.judgements import labels_of
from rankdistill.data.converting.request import Request
from rankdistill.data.converting.splitting import query_id, same_query, split_of
from rankdistill.errors import ConfigError, DataError, StaleOutputError
from tests.beir_folder import beir_folder
from tests.data.converting.conftest import Convert, corpus, told


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    path = tmp_path / "docs.csv"
    path.write_text("sku,description\n" + "".join(f"d{one},text {one}\n" for one in range(30)))
    return path


def log(path: Path, content: str | list[dict[str, Any]]) -> Path:
    text = content if isinstance(content, str) else "".join(json.dumps(one) + "\n" for one in content)
    path.write_text(text)
    return path


FORMS = {
    "log.txt": "Red  chair\n\nblue table \nred chair\n",
    "log": "Red  chair\nblue table\nred chair\n",
    "log.csv": "when,query\n1,Red  chair\n2,blue table\n3,red chair\n",
    "log.tsv": "query\tn\nRed  chair\t1\nblue table\t2\nred chair\t3\n",
    "log.jsonl": '{"text": "Red  chair"}\n{"text": "blue table"}\n{"text": "red chair"}\n',
}


@pytest.mark.parametrize("name", FORMS)
def test_a_log_gives_each_query_once(tmp_path: Path, convert: Convert, documents: Path, name: str) -> None:
    dataset = convert(documents, queries=log(tmp_path / name, FORMS[name]))
    assert list(dataset.query_texts.values()) == ["Red  chair", "blue table"]
    assert list(dataset.unjudged) == [query_id("RED chair"), query_id("blue table")]
    assert dataset.splits == []
    assert "1 queries came again" in " ".join(told(dataset)["notes"])


def test_ids_of_queries_are_kept_and_later_ones_mean_the_first(
    tmp_path: Path, convert: Convert, documents: Path
) -> None:
    queries = log(
        tmp_path / "q.jsonl",
        [{"_id": "q1", "text": "red chair"}, {"_id": 7, "text": "table"}, {"_id": "q3", "text": "Red Chair"}],
    )
    qrels = log(tmp_path / "q.tsv", "query-id\tcorpus-id\tscore\nq1\td1\t1\nq3\td1\t2\nq3\td2\t1\n7\td3\t-1\n")
    dataset = convert(documents, queries=queries, qrels=[f"test={qrels}"])
    assert dict(dataset.query_texts) == {"q1": "red chair", "7": "table"}
    assert dataset.qrels("test") == {"q1": {"d1": 2, "d2": 1}, "7": {"d3": 0}}
    log(queries, [{"_id": "q1", "text": "red chair"}, {"_id": "q1", "text": "table"}])
    with pytest.raises(DataError, match=r"q\.jsonl:2: the id 'q1' stands above, with another text"):
        convert(documents, "b", queries=queries)


def test_a_split_depends_on_the_words_alone_and_has_its_share() -> None:
    texts = [f"what is thing {number}" for number in range(4000)]
    splits = [split_of(text, 0.1, 0.2) for text in texts]
    assert abs(splits.count("test") / 4000 - 0.2) < 0.03
    assert abs(splits.count("dev") / 4000 - 0.1) < 0.03
    assert [split_of(f"  {text.upper()} ", 0.1, 0.2) for text in texts] == splits
    assert [split_of(f"{text.replace(' is', ', is')} ?", 0.1, 0.2) for text in texts] == splits
    assert same_query("c++") != same_query("c")
    wider = [split_of(text, 0.3, 0.2) for text in texts]
    assert all(after == before for after, before in zip(wider, splits, strict=True) if before != "train")
    assert {split_of(text, 0, 0) for text in texts} == {"train"}
    assert {split_of(text, 0, 1) for text in texts} == {"test"}
    assert same_query("E\u0301te\u0301 ") == same_query("été")


def test_queries_stay_in_their_split_when_more_come(tmp_path: Path, convert: Convert, documents: Path) -> None:
    def made(count: int, out: str) -> dict[str, str]:
        queries = log(tmp_path / f"{out}.jsonl", [{"_id": f"q{n}", "text": f"thing {n}"} for n in range(count)])
        rows = "".join(f"q{n} 0 d{n % 30} 1\n" for n in range(count))
        dataset = convert(documents, out, queries=queries, qrels=log(tmp_path / f"{out}.txt", rows))
        return {one: split for split in dataset.splits for one in dataset.qrels(split)}

    few, many = made(40, "few"), made(200, "many")
    assert {one: many[one] for one in few} == few
    assert set(many.values()) == {"train", "dev", "test"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "q1 0 d1 2\nq2 Q0 d2 0\n"),
        ("a.tsv", "query-id\tcorpus-id\tscore\nq1\td1\t2\nq2\td2\t0\n"),
        ("a.csv", "qid,docid,relevance\nq1,d1,2.0\nq2,d2,0\n"),
        ("a.jsonl", '{"query_id": "q1", "doc_id": "d1", "label": 2}\n{"query_id": "q2", "doc_id": "d2", "label": 0}\n'),
    ],
)
def test_judgements_in_every_form(tmp_path: Path, convert: Convert, documents: Path, name: str, content: str) -> None:
    queries = log(tmp_path / "q.csv", "id,query\nq1,red\nq2,blue\n")
    dataset = convert(documents, queries=queries, qrels=[f"test={log(tmp_path / name, content)}"])
    assert dataset.qrels("test") == {"q1": {"d1": 2}, "q2": {"d2": 0}}


def test_bad_judgements_and_those_of_what_is_not_there(tmp_path: Path, convert: Convert, documents: Path) -> None:
    queries = log(tmp_path / "q.csv", "id,query\nq1,red\nq2,blue\n")
    qrels = log(tmp_path / "a.txt", "q1 0 d1 2\nq1 0 d1 1\nq9 0 d1 1\nq2 0 d2 0.5\nq2 0 gone 1\nq2 0 d3\n")
    with pytest.raises(DataError, match="4 bad rows") as stopped:
        convert(documents, queries=queries, qrels=qrels)
    for said in ("a.txt:2: query 'q1' and document 'd1' have two labels", "a.txt:3: unknown query 'q9'", "a.txt:6: 3"):
        assert said in stopped.value.got
    dataset = convert(documents, queries=queries, qrels=[f"dev={qrels}"], lenient=True)
    assert dataset.qrels("dev") == {"q1": {"d1": 2}, "q2": {"gone": 1}}
    assert dataset.dangling("dev") == 1
    table = log(tmp_path / "a.csv", 'qid,docid,label\nq1,d1,1\nq2,gone,1\nq2,"""d9""",1\n')
    with pytest.raises(DataError, match="stands in quotes"):  # the folder's reader would leave it out
        convert(documents, "b", queries=queries, qrels=table)
    log(qrels, "q1 0 x1 1\nq2 0 x2 1\n")
    with pytest.raises(DataError, match="none of 2, as 'x1', is the id of a document"):
        convert(documents, "b", queries=queries, qrels=qrels)
    with pytest.raises(ConfigError, match="--queries with --qrels"):
        convert(documents, "b", qrels=qrels)


def test_the_label_of_a_click_is_its_share_of_the_most() -> None:
    counts = {"a": 30, "b": 15, "c": 10, "d": 5, "e": 4, "f": 1, "g": 29}
    expected = {one: int(Fraction(3 * count, 30) + Fraction(1, 2)) for one, count in counts.items()}
    assert labels_of(counts) == {one: label for one, label in expected.items() if label}
    assert labels_of(counts) == {"a": 3, "b": 2, "c": 1, "d": 1, "g": 3}
    assert labels_of({"a": 1}) == {"a": 3}
    assert labels_of({"a": 2, "b": 1}, least=2) == {"a": 3}
    assert labels_of({"a": 0}) == labels_of({}) == labels_of({"a": 1}, least=2) == {}


def test_clicks_by_text_make_queries_and_labels(tmp_path: Path, convert: Convert, documents: Path) -> None:
    clicks = log(
        tmp_path / "clicks.csv",
        "query,sku,clicks\nred chair,d1,10\nRed Chair,d2,5\nred chair,gone,99\nblue,d3,1\nnothing,gone,4\n",
    )
    dataset = convert(documents, clicks=clicks, dev=0, test=0)
    assert list(dataset.query_texts.values()) == ["red chair", "blue", "nothing"]
    assert dataset.qrels("train") == {query_id("red chair"): {"d1": 3, "d2": 2}, query_id("blue"): {"d3": 3}}
    assert list(dataset.to_mine(UNJUDGED).values()) == ["nothing"]
    assert "2 of 5 pairs name documents that are not there" in " ".join(told(dataset)["notes"])
    log(clicks, "query,sku\nred,x\n")
    with pytest.raises(DataError, match="none of 1, as 'x'"):
        convert(documents, "b", clicks=clicks)


def test_clicks_by_id_and_a_row_a_click(tmp_path: Path, convert: Convert, documents: Path) -> None:
    queries = log(tmp_path / "q.csv", "id,query\n1,red\n2,blue\n3,green\n")
    rows = [{"qid": 1, "pid": "d1"}, {"qid": 1, "pid": "d1"}, {"qid": 1, "pid": "d2"}, {"qid": 2, "pid": "d3"}]
    clicks = log(tmp_path / "c.jsonl", [*rows, {"qid": 9, "pid": "d3"}])
    with pytest.raises(DataError, match="unknown query '9'; others are ids"):
        convert(documents, queries=queries, clicks=clicks)
    dataset = convert(documents, queries=queries, clicks=clicks, lenient=True, dev=0, test=0, min_clicks=2)
    assert dataset.qrels("train") == {"1": {"d1": 3}}
    assert list(dataset.unjudged) == ["2", "3"]


def test_a_column_of_ids_is_never_taken_for_texts(tmp_path: Path, convert: Convert, documents: Path) -> None:
    """A log that is mostly of queries that the file lacks: its ids would become queries, with all of the labels."""
    queries = log(tmp_path / "q.csv", "id,query\n0,red\n1,blue\n")
    clicks = log(tmp_path / "c.csv", "query_id,sku\n" + "".join(f"{n},d{n}\n" for n in range(9)))
    with pytest.raises(DataError, match="unknown query '2'; others are ids"):
        convert(documents, queries=queries, clicks=clicks)
    dataset = convert(documents, queries=queries, clicks=clicks, lenient=True, dev=0, test=0)
    assert dataset.qrels("train") == {"0": {"d0": 3}, "1": {"d1": 3}}
    with pytest.raises(ConfigError, match=r"--queries with --clicks whose column 'query_id' has ids"):
        convert(documents, "b", clicks=clicks)
    texts = log(tmp_path / "t.csv", "query,sku\n" + "".join(f"{n},d{n}\n" for n in range(9)))
    notes = " ".join(told(convert(documents, "c", queries=queries, clicks=texts))["notes"])
    assert "2 of the 9 queries in 'query' are ids of queries too" in notes


def test_words_of_a_named_split_are_in_no_other(tmp_path: Path, convert: Convert, documents: Path) -> None:
    queries = log(tmp_path / "q.csv", "id,query\nq1,what is red\n")
    qrels = log(tmp_path / "a.txt", "q1 0 d1 1\n")
    clicks = log(tmp_path / "c.csv", "query,sku\nWhat is red?,d2\nblue,d3\n")
    dataset = convert(documents, queries=queries, qrels=[f"test={qrels}"], clicks=clicks, dev=0)
    assert dataset.qrels("test") == {"q1": {"d1": 1}}
    assert dataset.qrels("train") == {query_id("blue"): {"d3": 3}}
    assert "1 queries have the words of one that a split has by name" in " ".join(told(dataset)["notes"])


def test_queries_whose_clicks_say_nothing_are_not_judged(tmp_path: Path, documents: Path) -> None:
    clicks = log(tmp_path / "c.csv", "query,sku\n" + "".join(f"thing {n},d{n}\n" for n in range(9)) + "thing 3,d3\n")
    request = Request(documents, columns={"id": "sku"}, clicks=clicks)
    assert judged_without_split(request) == 9
    assert judged_without_split(replace(request, min_clicks=2)) == 1


def test_a_log_among_the_documents_is_none(tmp_path: Path, convert: Convert) -> None:
    """Its queries would be found: BM25, teacher and student would all be measured on them."""
    place = tmp_path / "in"
    place.mkdir()
    for name in ("a.txt", "b.txt"):
        (place / name).write_text(f"text of {name}")
    queries = log(place / "queries.txt", "red\nblue\n")
    assert [row["_id"] for row in corpus(convert(place, queries=queries))] == ["a.txt", "b.txt"]
    other = log(place / "log.jsonl", [{"_id": "q1", "text": "red"}])
    queries.unlink()
    assert len(corpus(convert(place, "b", queries=other))) == 2, "which is no table of documents either"
    tables = tmp_path / "tables"
    tables.mkdir()
    log(tables / "docs.jsonl", [{"_id": "d1", "text": "one"}])
    queries = log(tables / "log.jsonl", [{"_id": "q1", "text": "red"}])
    assert [row["_id"] for row in corpus(convert(tables, "c", queries=queries))] == ["d1"]


def test_judgements_go_before_clicks_and_named_splits_stay_as_they_are(
    tmp_path: Path, convert: Convert, documents: Path
) -> None:
    queries = log(tmp_path / "q.csv", "id,query\n" + "".join(f"q{n},thing {n}\n" for n in range(40)))
    qrels = log(tmp_path / "a.txt", "q0 0 d1 1\nq1 0 d2 1\n")
    clicks = log(tmp_path / "c.csv", "query_id,sku\n" + "".join(f"q{n},d{n % 30}\n" for n in range(40)))
    dataset = convert(documents, queries=queries, qrels=[f"test={qrels}"], clicks=clicks)
    assert dataset.qrels("test") == {"q0": {"d1": 1}, "q1": {"d2": 1}}
    assert set(dataset.splits) == {"dev", "test", "train"}
    assert sum(map(len, (dataset.qrels(split) for split in dataset.splits))) == 40
    assert "2 queries are judged already" in " ".join(told(dataset)["notes"])
    with pytest.raises(DataError, match="query 'q0' is judged elsewhere already"):
        convert(documents, "b", queries=queries, qrels=[f"test={qrels}", f"dev={qrels}"])
    with pytest.raises(ConfigError, match="a new name each"):
        convert(documents, "b", queries=queries, qrels=[f"unjudged={qrels}"])


def test_columns_that_are_called_otherwise_are_named(tmp_path: Path, convert: Convert, documents: Path) -> None:
    queries = log(tmp_path / "q.csv", "nr,was,wann\n1,red,x\n2,blue,y\n")
    clicks = log(tmp_path / "c.csv", "nr,artikel,mal\n1,d1,2\n2,d2,1\n")
    with pytest.raises(ConfigError, match=r"'nr', 'was', 'wann'\n.*\n.*--query-text COLUMN"):
        convert(documents, queries=queries)
    settings = {"queries": queries, "query_text": "was", "query_id": "nr", "clicks": clicks, "dev": 0, "test": 0}
    with pytest.raises(ConfigError, match="--clicks-columns COLUMN"):
        convert(documents, **settings)
    dataset = convert(documents, **settings, clicks_columns="nr,artikel,mal")
    assert dataset.qrels("train") == {"1": {"d1": 3}, "2": {"d2": 3}}
    with pytest.raises(ConfigError, match="--clicks-columns QUERY,DOCUMENT"):
        convert(documents, **settings, clicks_columns="nr")


def test_the_documents_own_name_of_ids_is_known_in_clicks(tmp_path: Path, convert: Convert) -> None:
    documents = log(tmp_path / "d.csv", "artnr,text\nd1,x\nd2,y\n")
    clicks = log(tmp_path / "c.csv", "query,artnr,position_id\nred,d1,1\n")
    dataset = convert(documents, id="artnr", clicks=clicks, dev=0, test=0)
    assert dataset.qrels("train") == {query_id("red"): {"d1": 3}}


def test_a_log_may_be_in_another_encoding_than_the_documents(tmp_path: Path, convert: Convert) -> None:
    (tmp_path / "d.csv").write_bytes("id,text\n1,größer\n".encode("cp850"))
    (tmp_path / "q.txt").write_text("größer\nhöher\n", encoding="utf-8")
    (tmp_path / "q2.csv").write_bytes("query\ngrößer\n".encode("cp850"))
    for name, queries in (("q.txt", ["größer", "höher"]), ("q2.csv", ["größer"])):
        dataset = convert(tmp_path / "d.csv", f"out-{name}", encoding="cp850", queries=tmp_path / name)
        assert list(dataset.query_texts.values()) == queries
        assert [one.text for one in dataset.documents()] == ["größer"]
        assert "encoding" not in " ".join(told(dataset)["notes"])


def test_passages_have_the_labels_of_their_documents(tmp_path: Path, convert: Convert, tiny_bert: Path) -> None:
    text = " ".join(f"The old river is deep {number}." for number in range(12))
    documents = log(tmp_path / "d.jsonl", [{"id": "long", "text": text}, {"id": "short", "text": "stone", "year": 3}])
    queries = log(tmp_path / "q.csv", "id,query\nq1,red\n")
    qrels = log(tmp_path / "a.txt", "q1 0 long 2\nq1 0 short 1\nq1 0 gone 1\n")
    settings = {"queries": queries, "qrels": [f"test={qrels}"], "tokenizer": str(tiny_bert)}
    dataset = convert(documents, passage_tokens=32, overlap=8, keep="year", **settings)
    cut = [one for one in dataset.doc_ids if one.startswith("long#")]
    assert len(cut) > 2
    assert dataset.qrels("test")["q1"] == {**dict.fromkeys(cut, 2), "short#1": 1, "gone": 1}
    short = corpus(dataset)[-1]
    assert short["metadata"] == {"year": 3, "document": "short", "passage": 1, "start": 0, "end": 5}
    assert told(dataset)["passages"] == len(dataset.doc_ids)
    with pytest.raises(ConfigError, match="no metadata called document"):
        convert(log(tmp_path / "e.jsonl", [{"id": 1, "text": "x", "end": 1}]), "b", keep="end", passage_tokens=32,
                tokenizer=str(tiny_bert))  # fmt: skip


def test_a_beir_folder_passes_through_and_takes_what_comes_with_it(tmp_path: Path, convert: Convert) -> None:
    place = beir_folder(
        tmp_path / "in",
        {"d1": "red", "d2": "blue"},
        {"q1": "Red", "q2": "red"},
        {"test": [("q1", "d1", 1)], "mine": [("q2", "d2", 2)]},
    )
    rows = [
        {"_id": "d1", "title": "T", "text": "red", "year": 3},
        {"_id": "d2", "text": "blue", "metadata": {"a": [1]}},
    ]
    log(place / "corpus.jsonl", rows)
    (place / "meta.json").write_text('{"ignore_identical_ids": true}')
    dataset = convert(place)
    assert dict(dataset.query_texts) == {"q1": "Red", "q2": "red"}
    assert {split: dataset.qrels(split) for split in dataset.splits} == {
        "test": {"q1": {"d1": 1}},
        "mine": {"q2": {"d2": 2}},
    }
    assert [one.get("metadata") for one in corpus(dataset)] == [{"year": 3}, {"a": [1]}]
    assert dataset.ignore_identical_ids is True
    queries = log(tmp_path / "log.txt", "RED\ngreen\n")
    clicks = log(tmp_path / "c.csv", "query,id\nred,d2\ngreen,d2\n")
    more = convert(place, "more", queries=queries, clicks=clicks, dev=0, test=0)
    assert list(more.query_texts.values()) == ["Red", "red", "green"]
    assert more.qrels("train") == {query_id("green"): {"d2": 3}}
    assert more.qrels("test") == {"q1": {"d1": 1}}


def test_what_was_made_before_is_told_again_and_a_changed_log_is_not_taken_up(
    tmp_path: Path, convert: Convert, documents: Path, caplog: pytest.LogCaptureFixture
) -> None:
    queries = log(tmp_path / "q.txt", "red\nred\n")
    convert(documents, queries=queries)
    first = (tmp_path / "out" / "queries.jsonl").stat().st_mtime_ns
    caplog.clear()
    convert(documents, queries=queries)
    assert "1 queries came again" in caplog.text
    assert (tmp_path / "out" / "queries.jsonl").stat().st_mtime_ns == first
    log(queries, "red\nblue\n")
    with pytest.raises(StaleOutputError, match="input 'queries' was"):
        convert(documents, queries=queries)
