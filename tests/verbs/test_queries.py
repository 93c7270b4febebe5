"""The verb `queries`: what it writes is a collection that every verb takes, and nothing leaks into it."""

from __future__ import annotations

import gzip
import json
import logging
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import rankdistill as rd
from rankdistill import sessions
from rankdistill.data import load
from rankdistill.errors import ConfigError, DataError, OutputError, StaleOutputError
from rankdistill.mining.sources import Bm25Source
from rankdistill.querying.result import Generated
from rankdistill.training import inputs
from tests.conversations import write_tiny_sessions


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "queries.jsonl").read_text().splitlines()]


def generated(folder: Path) -> list[dict[str, Any]]:
    return [row for row in rows(folder) if row["_id"].startswith("generated-")]


@pytest.fixture
def alone(tiny_beir: Path, tmp_path: Path) -> Path:
    """The documents without queries and labels."""
    folder = tmp_path / "alone"
    folder.mkdir()
    (folder / "corpus.jsonl").write_bytes((tiny_beir / "corpus.jsonl").read_bytes())
    return folder


def test_documents_alone_become_a_collection_to_mine_score_and_train_on(
    alone: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    made = rd.queries(alone, out, dev=5, test=4)
    dataset = load(made)
    assert dataset.splits == ["dev", "test", "train"]
    assert (out / "corpus.jsonl").read_bytes() == (alone / "corpus.jsonl").read_bytes()
    assert made.queries == len(dataset.query_texts) == sum(made.splits.values())
    assert made.splits["dev"] >= 5
    assert made.splits["test"] >= 4
    assert {row["metadata"]["kind"] for row in rows(out)} <= {"titles", "headings", "spans", "first_sentences"}
    for row in rows(out):
        judged = next(
            dataset.qrels(split)[row["_id"]] for split in dataset.splits if row["_id"] in dataset.qrels(split)
        )
        assert list(judged) == row["metadata"]["documents"]
    assert isinstance(rd.open(out), type(dataset))
    candidates = rd.mine(made, tmp_path / "candidates", depth=6)
    assert candidates.queries == made.splits["train"]
    store = rd.score(made, tiny_encoder, candidates, tmp_path / "store")
    student = rd.train(
        made,
        store,
        tiny_encoder,
        tmp_path / "student",
        dev_split="dev",
        steps=2,
        batch_size=2,
        negatives=2,
        check="off",
    )
    assert Path(student).is_dir()
    texts = rd.embed(made, tiny_encoder, tmp_path / "vectors")
    assert len(texts)


def test_the_same_call_leaves_it_and_another_is_refused(alone: Path, tmp_path: Path) -> None:
    first = rd.queries(alone, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    again = rd.queries(alone, tmp_path / "out")
    assert again == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == before
    other = rd.queries(alone, tmp_path / "other", progress=lambda done: None)
    for path in (tmp_path / "out").rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            assert path.read_bytes() == (tmp_path / "other" / path.relative_to(tmp_path / "out")).read_bytes()
    assert other.to_json() | {"path": ""} == first.to_json() | {"path": ""}
    for changed in ({"per_document": 1}, {"round_trip": 3}, {"generators": "titles"}, {"teacher": "bm25:words"}):
        with pytest.raises(StaleOutputError):
            rd.queries(alone, tmp_path / "out", **changed)


def test_labels_of_the_split_are_not_looked_at_and_other_splits_come_along(tiny_beir: Path, tmp_path: Path) -> None:
    before = load(tiny_beir)
    rd.queries(tiny_beir, tmp_path / "out", per_document=1)
    after = load(tmp_path / "out")
    for split in ("dev", "test"):
        assert after.qrels(split) == before.qrels(split)
        assert after.queries(split) == before.queries(split)
    assert not {*before.queries("train")} & {*after.query_texts}
    assert all(query_id.startswith("generated-") for query_id in after.qrels("train"))
    both = rd.queries(tiny_beir, tmp_path / "both", split="generated", per_document=1)
    assert load(both).qrels("train") == before.qrels("train")
    with pytest.raises(ConfigError, match="'dev', which it has"):
        rd.queries(tiny_beir, tmp_path / "twice", dev=2)
    with pytest.raises(ConfigError, match="'test' twice"):
        rd.queries(tmp_path / "both", tmp_path / "twice", split="test", test=2)


def test_a_generated_query_that_says_what_a_test_query_says_does_not_get_in(tiny_beir: Path, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in (tiny_beir / "queries.jsonl").read_text().splitlines()]
    title = json.loads((tiny_beir / "corpus.jsonl").read_text().splitlines()[0])["title"]
    lines[-1]["text"] = f"{title.upper()}!"
    (tiny_beir / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lines))
    made = rd.queries(tiny_beir, tmp_path / "out", "titles")
    assert made.kinds["titles"]["dropped"]["judged"] == 1
    assert title.lower() not in {row["text"].lower() for row in generated(tmp_path / "out")}


def test_a_generated_query_that_is_a_test_questions_rewrite_does_not_get_in(tiny_beir: Path, tmp_path: Path) -> None:
    folder = write_tiny_sessions(tiny_beir)
    title = json.loads((folder / "corpus.jsonl").read_text().splitlines()[0])["title"]
    path, turn = folder / "sessions.jsonl", sessions.read(folder).asked("test")[-1].turn
    path.write_text(path.read_text().replace(turn.rewrites["human"][0], f"{title.upper()}!"))
    made = rd.queries(folder, tmp_path / "out", "titles")
    assert made.kinds["titles"]["dropped"]["judged"] == 1
    assert title.lower() not in {row["text"].lower() for row in generated(tmp_path / "out")}


def test_training_holds_out_test_queries_that_were_added_to_the_generated_ones_by_hand(
    tiny_beir: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    """What the verb drops, training would hold out too, by the rule of every collection."""
    out = tmp_path / "out"
    rd.queries(tiny_beir, out, "titles")
    test = next(row for row in rows(out) if row["_id"] in load(out).qrels("test"))
    with (out / "queries.jsonl").open("a") as stream:
        stream.write(json.dumps({"_id": "generated-copy", "text": test["text"].upper()}) + "\n")
    with (out / "qrels" / "train.tsv").open("a") as stream:
        stream.write("generated-copy\td00\t1\n")
    (out / "manifest.json").unlink()  # which has the hashes of what was generated
    candidates = rd.mine(out, tmp_path / "candidates", depth=6)
    store = rd.score(out, tiny_encoder, candidates, tmp_path / "store")
    read = inputs.read(load(out), store, "train", None)
    assert read.held_out_queries == 1
    assert "generated-copy" not in {*read.candidates["query_id"]} | {*read.scores["query_id"]}


def test_a_query_stays_if_the_teacher_finds_its_document(alone: Path, tiny_encoder: str, tmp_path: Path) -> None:
    unfiltered = rd.queries(alone, tmp_path / "all", round_trip=0)
    made = rd.queries(alone, tmp_path / "some", round_trip=1)
    texts = {row["_id"]: row["text"] for row in generated(tmp_path / "all")}
    contents = dict(load(alone).contents)
    lists, _ = Bm25Source().retrieve(contents, list(texts.values()), 1, lambda done: None)
    first = dict(zip(texts, (ids[:1] for ids in lists), strict=True))
    wanted = {
        row["text"]: [one for one in row["metadata"]["documents"] if one in first[row["_id"]]]
        for row in generated(tmp_path / "all")
    }
    assert {row["text"]: row["metadata"]["documents"] for row in generated(tmp_path / "some")} == {
        text: documents for text, documents in wanted.items() if documents
    }
    dropped = sum(one["dropped"].get("round trip", 0) for one in made.kinds.values())
    assert dropped == sum(one["kept"] for one in unfiltered.kinds.values()) - sum(
        one["kept"] for one in made.kinds.values()
    )
    assert dropped > 0
    by_model = rd.queries(alone, tmp_path / "dense", teacher=tiny_encoder, round_trip=2)
    by_source = rd.queries(alone, tmp_path / "source", teacher=f"dense:{tiny_encoder}", round_trip=2)
    assert by_model.kinds == by_source.kinds != made.kinds


def test_a_cross_encoder_cannot_search(alone: Path, tiny_cross_encoder: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a teacher that searches"):
        rd.queries(alone, tmp_path / "out", teacher=tiny_cross_encoder)


def test_empty_documents_and_a_compressed_corpus(tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    documents = [
        {"_id": "a", "title": "Deep rivers of the north", "text": "", "year": 1999},
        {"_id": "b", "title": "", "text": "Violins are made of old wood. They sound sweet."},
        {"_id": "c", "title": "", "text": ""},
    ]
    with gzip.open(folder / "corpus.jsonl.gz", "wt") as stream:
        stream.write("".join(json.dumps(row) + "\n" for row in documents))
    with pytest.raises(DataError, match="empty text"):
        rd.queries(folder, tmp_path / "out")
    made = rd.queries(folder, tmp_path / "out", lenient=True)
    assert (made.documents, made.covered) == (2, 1)
    assert {row["metadata"]["documents"][0] for row in rows(tmp_path / "out")} == {"b"}
    assert made.kinds["titles"]["dropped"] == {"copy": 1}
    with gzip.open(folder / "corpus.jsonl.gz", "wt") as stream:
        stream.write("".join(json.dumps(row) + "\n" for row in documents[:2]))
    rd.queries(folder, tmp_path / "whole")
    assert (tmp_path / "whole" / "corpus.jsonl.gz").read_bytes() == (folder / "corpus.jsonl.gz").read_bytes()


def test_nothing_left_is_an_error_that_says_what_went(alone: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        rd.queries(alone, tmp_path / "out", "titles", shortest=9)
    assert "titles made 40, 40 of them dropped: words" in raised.value.got
    with pytest.raises(DataError, match="headings made 0"):
        rd.queries(alone, tmp_path / "none", "headings")
    assert rd.queries(alone, tmp_path / "out", "titles", shortest=1).queries > 0


def test_a_collection_of_somebody_else_is_not_overwritten(tiny_beir: Path, alone: Path, tmp_path: Path) -> None:
    before = (tiny_beir / "corpus.jsonl").read_bytes()
    with pytest.raises(OutputError):
        rd.queries(alone, tiny_beir)
    assert (tiny_beir / "corpus.jsonl").read_bytes() == before
    assert not (tiny_beir / ".generating").exists()


def test_a_run_that_was_killed_while_it_wrote_goes_on(alone: Path, tmp_path: Path, monkeypatch: Any) -> None:
    from rankdistill.querying import collection

    rd.queries(alone, tmp_path / "whole")
    with monkeypatch.context() as patched:
        patched.setattr(collection, "write_qrels", lambda *given: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            rd.queries(alone, tmp_path / "out")
    assert (tmp_path / "out" / "queries.jsonl").exists()
    assert not (tmp_path / "out" / "manifest.json").exists()
    rd.queries(alone, tmp_path / "out")
    for name in ("queries.jsonl", "qrels/train.tsv", "manifest.json", "generated.json"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_the_result_shows_kinds_and_reasons(alone: Path, tmp_path: Path) -> None:
    made = rd.queries(alone, tmp_path / "out", ["titles", "spans"], per_document=2)
    assert made == Generated.read(tmp_path / "out")
    assert made.to_json() == json.loads(json.dumps(made.to_json()))
    frame = made.to_polars()
    assert frame["kind"].to_list() == ["spans", "titles"]
    totals = frame.select(pl.sum_horizontal(pl.exclude("kind", "made")) - pl.col("made"))
    assert totals.to_series().to_list() == [0, 0]
    assert "of 40 documents have at least one" in str(made)
    assert "titles" in made._repr_html_()
    mixed = rd.queries(alone, tmp_path / "mixed")
    assert mixed.kinds["headings"] == {"made": 0, "kept": 0, "dropped": {}}
    assert "queries of" in repr(made)
    (tmp_path / "out" / "generated.json").write_text("{")
    with pytest.raises(DataError, match="remove the folder"):
        Generated.read(tmp_path / "out")


def test_a_script_without_spaces_is_told_where_bm25_searches(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "chinese"
    folder.mkdir()
    texts = ["哮喘是一种呼吸道疾病。咳嗽是常见的症状。", "小提琴由木头制成。它的声音很甜美。"]
    content = [json.dumps({"_id": f"d{n}", "title": "", "text": text}) for n, text in enumerate(texts)]
    (folder / "corpus.jsonl").write_text("\n".join(content) + "\n")
    with caplog.at_level(logging.WARNING, logger="rankdistill"):
        made = rd.queries(folder, tmp_path / "out", "first_sentences", teacher="bm25:cjk")
    assert made.queries == 4
    assert not caplog.text
    rd.queries(folder, tmp_path / "english", "first_sentences")
    assert "take the tokeniser cjk" in caplog.text


def test_no_generator_or_bad_numbers_are_refused_at_once(alone: Path, tmp_path: Path) -> None:
    for wrong in ({"generators": []}, {"per_document": 0}, {"shortest": 5, "longest": 4}, {"near_duplicate": 2.0}):
        with pytest.raises(ConfigError):
            rd.queries(alone, tmp_path / "out", **wrong)
    assert not (tmp_path / "out").exists()
