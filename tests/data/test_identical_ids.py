"""When the document of the query's own id is left out: by hand, by meta.json, by name, by text."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

from rankdistill import manifest
from rankdistill.data import from_mteb, load, sources
from rankdistill.data.identical_ids import MTEB_TASKS, known_rule, without_own
from rankdistill.data.meta import FILE_NAME, Meta, read
from rankdistill.data.writer import Collection
from rankdistill.errors import DataError
from rankdistill.records import Document, Query


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four documents; `same`, `titled` and `other` are also queries, `other` with another text."""
    root = tmp_path / "small"
    (root / "qrels").mkdir(parents=True)
    corpus = {"same": ("", "a  b"), "titled": ("T", "c d"), "other": ("", "e"), "alone": ("", "f")}
    rows = [{"_id": name, "title": title, "text": text} for name, (title, text) in corpus.items()]
    queries = {"same": "a b\n", "titled": "c d", "other": "not e", "new": "f"}
    (root / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (root / "queries.jsonl").write_text(
        "".join(json.dumps({"_id": name, "text": text}) + "\n" for name, text in queries.items())
    )
    (root / "qrels" / "test.tsv").write_text(
        "query-id\tcorpus-id\tscore\n" + "".join(f"{name}\talone\t1\n" for name in queries)
    )
    return root


def test_where_nothing_is_said_texts_decide_and_both_outcomes_are_told(folder: Path) -> None:
    dataset = load(folder)
    assert dataset.ignore_identical_ids is None
    assert dataset.own_documents == {"same", "titled"}
    assert dataset.decisive("test") == {"own_documents_left_out": 2}
    left_out, kept = dataset.notes("test")
    assert left_out.startswith("2 queries of 'test' stand in the corpus")
    assert kept.startswith("1 queries of 'test' have the id of a document of another text")
    assert "meta.json says it for good" in kept


@pytest.mark.parametrize(
    ("said", "by_hand", "left_out"),
    [
        (True, None, {"same", "titled", "other"}),
        (False, None, set()),
        (True, False, set()),
        (False, True, {"same", "titled", "other"}),
        (None, True, {"same", "titled", "other"}),
    ],
)
def test_meta_decides_and_by_hand_wins(
    folder: Path, said: bool | None, by_hand: bool | None, left_out: set[str]
) -> None:
    plain = load(folder)
    (folder / FILE_NAME).write_text(
        json.dumps({"language": "en"} | ({} if said is None else {"ignore_identical_ids": said}))
    )
    dataset = load(folder, ignore_identical_ids=by_hand)
    assert dataset.own_documents == left_out
    assert dataset.notes("test") == []
    assert (dataset.fingerprint, dataset.qrels_hash("test")) == (plain.fingerprint, plain.qrels_hash("test"))


@pytest.mark.parametrize("content", ["{", "[]", '{"ignore_identical_ids": "yes"}', '{"ignore_identical_ids": 1}'])
def test_a_broken_meta_is_refused(folder: Path, content: str) -> None:
    (folder / FILE_NAME).write_text(content)
    with pytest.raises(DataError, match=r"meta\.json"):
        load(folder)


@pytest.mark.parametrize(
    ("reference", "rule"),
    [
        ("mteb:ArguAna", True),
        ("mteb:SciFact", None),
        ("mteb:MMarcoRetrieval/x", True),
        ("hf:BeIR/quora", True),
        ("hf:mteb/fiqa", True),
        ("hf:someone/quora", None),
        ("hf:BeIR/scifact", None),
        ("ir_datasets:beir/fever/test", True),
        ("ir_datasets:msmarco-passage", None),
        ("pydocs", None),
    ],
)
def test_known_names(reference: str, rule: bool | None) -> None:
    assert known_rule(reference) is rule


def test_a_folder_fetched_before_there_was_a_meta_is_known_by_its_name(folder: Path) -> None:
    manifest.Manifest("dataset", {}, {"source": "mteb:FiQA2018"}).write(folder)
    assert load(folder).own_documents == {"same", "titled", "other"}


def test_the_known_tasks_are_those_of_mteb() -> None:
    mteb = pytest.importorskip("mteb")
    assert [name for name in sorted(MTEB_TASKS) if not mteb.get_task(name).ignore_identical_ids] == []
    for name in ("SciFact", "NFCorpus", "HotpotQA", "NQ", "SCIDOCS", "TRECCOVID", "Touche2020Retrieval.v3", "DBPedia"):
        assert name not in MTEB_TASKS
        assert not mteb.get_task(name).ignore_identical_ids


@pytest.mark.parametrize("rule", [True, False])
def test_fetching_a_task_writes_its_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rule: bool) -> None:
    rows = [{"id": "x", "title": "", "text": "one"}, {"id": "y", "title": "", "text": "two"}]
    split = {"corpus": rows, "queries": [{"id": "x", "text": "ask"}], "relevant_docs": {"x": {"y": 1}}}
    task = SimpleNamespace(
        metadata=SimpleNamespace(type="Retrieval"),
        dataset={"default": {"test": split}},
        ignore_identical_ids=rule,
        load_data=lambda: None,
        convert_v1_dataset_format_to_v2=lambda num_proc: None,
    )
    monkeypatch.setattr(from_mteb, "require", lambda module, purpose: SimpleNamespace(get_task=lambda name: task))
    sources.fetch("mteb:Some", tmp_path / "out")
    assert read(tmp_path / "out") == Meta(rule)
    assert load(tmp_path / "out").own_documents == ({"x"} if rule else set())
    assert FILE_NAME in manifest.expect(tmp_path / "out", "dataset", "data fetch").outputs


@pytest.mark.parametrize(("reference", "rule"), [("hf:BeIR/quora", True), ("hf:BeIR/scifact", None)])
def test_fetching_a_known_name_writes_the_rule_and_another_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str, rule: bool | None
) -> None:
    made = Collection([Document("d", "", "text")], [Query("q", "ask")], {"test": {"q": {"d": 1}}})
    monkeypatch.setitem(sources.SOURCES, "hf", lambda name: made)
    sources.fetch(reference, tmp_path / "out")
    assert read(tmp_path / "out") == Meta(rule)
    assert (tmp_path / "out" / FILE_NAME).is_file() == (rule is not None)


def test_pairs_of_a_query_and_its_own_document_are_left_out_of_tables() -> None:
    pairs = pl.DataFrame({"query_id": ["a", "a", "b"], "doc_id": ["a", "b", "b"], "score": [1.0, 2.0, 3.0]})
    assert without_own(pairs, {"a"}).rows() == [("a", "b", 2.0), ("b", "b", 3.0)]
    assert without_own(pairs, set()).equals(pairs)
