"""Conversions from MTEB, the hub and ir_datasets, on local stand-ins of their objects; and what happens offline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from rankdistill import manifest
from rankdistill.data import from_hub, from_ir_datasets, from_mteb, load, sources
from rankdistill.data.writer import Collection
from rankdistill.errors import ConfigError, DataError, MissingDependencyError, StaleOutputError
from rankdistill.records import Document, Query

CORPUS = [{"id": "d1", "title": "T", "text": "one"}, {"id": "d2", "title": None, "text": "two"}]
DOCUMENTS = [Document("d1", "T", "one"), Document("d2", "", "two")]


def mteb_split(queries: dict[str, str], relevant: dict[str, dict[str, int]]) -> dict[str, object]:
    rows = [{"id": query_id, "text": text} for query_id, text in queries.items()]
    return {"corpus": CORPUS, "queries": rows, "relevant_docs": relevant, "top_ranked": None}


def test_mteb_splits_share_one_corpus() -> None:
    data = {
        "default": {
            "train": mteb_split({"q1": "a"}, {"q1": {"d1": 1}}),
            "test": mteb_split({"q2": "b"}, {"q2": {"d2": 2}}),
        }
    }
    found = from_mteb.convert(data)
    assert list(found.documents) == DOCUMENTS
    assert list(found.queries) == [Query("q1", "a"), Query("q2", "b")]
    assert found.qrels == {"train": {"q1": {"d1": 1}}, "test": {"q2": {"d2": 2}}}


def test_mteb_task_built_in_memory_converts() -> None:
    datasets = pytest.importorskip("datasets")
    task_data = {
        "default": {
            "test": {
                "corpus": datasets.Dataset.from_list(CORPUS),
                "queries": datasets.Dataset.from_list([{"id": "q", "text": "b"}]),
                "relevant_docs": {"q": {"d2": 1}},
                "top_ranked": None,
            }
        }
    }
    assert list(from_mteb.convert(task_data).documents) == DOCUMENTS


def test_mteb_subset_must_be_named_where_there_are_several() -> None:
    data = {language: {"test": mteb_split({"q": language}, {"q": {"d1": 1}})} for language in ("de", "en")}
    assert list(from_mteb.convert(data, "de").queries) == [Query("q", "de")]
    for subset in (None, "fr"):
        with pytest.raises(DataError, match="de, en"):
            from_mteb.convert(data, subset)


def test_one_id_with_two_texts_is_refused() -> None:
    data = {
        "default": {
            "train": mteb_split({"q1": "a"}, {"q1": {"d1": 1}}),
            "test": mteb_split({"q1": "other"}, {"q1": {"d2": 1}}),
        }
    }
    with pytest.raises(DataError, match="two different texts of 'q1'"):
        from_mteb.convert(data)


@pytest.mark.parametrize("identity", ["_id", "id"])
def test_hub_tables_of_both_layouts_convert(identity: str) -> None:
    corpus = [{identity: row["id"], "title": row["title"], "text": row["text"]} for row in CORPUS]
    qrels = {
        "train": [{"query-id": "q1", "corpus-id": "d1", "score": 1.0}],
        "test": [{"query-id": "q2", "corpus-id": "d2", "score": 0}, {"query-id": "q2", "corpus-id": "d1", "score": 2}],
    }
    queries = {"queries": [{identity: "q1", "text": "a"}, {identity: "q2", "text": "b"}]}
    found = from_hub.convert(from_hub.Tables({"corpus": corpus}, queries, qrels))
    assert list(found.documents) == DOCUMENTS
    assert list(found.queries) == [Query("q1", "a"), Query("q2", "b")]
    assert found.qrels == {"train": {"q1": {"d1": 1}}, "test": {"q2": {"d2": 0, "d1": 2}}}


def test_hub_tables_of_another_layout_are_refused_with_their_columns() -> None:
    with pytest.raises(DataError, match=r"\['passage', 'passage_id'\]"):
        from_hub.convert(from_hub.Tables({"c": [{"passage_id": "1", "passage": "t"}]}, {}, {}))


def test_hub_qrels_come_from_the_sibling_repository_where_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    fake = SimpleNamespace(
        get_dataset_config_names=lambda name: ["corpus", "queries"],
        load_dataset=lambda *names: asked.append(names) or {},
    )
    monkeypatch.setattr(from_hub, "require", lambda module, purpose: fake)
    from_hub.download("BeIR/scifact")
    assert sorted(asked) == [("BeIR/scifact", "corpus"), ("BeIR/scifact", "queries"), ("BeIR/scifact-qrels",)]


class TitledDocument(NamedTuple):
    """As ir_datasets has it for BEIR."""

    doc_id: str
    text: str
    title: str

    def default_text(self) -> str:
        return f"{self.title} {self.text}"


class FakeIrDataset:
    """An ir_datasets data set of one document and perhaps one judged query."""

    def __init__(self, query_id: str | None = None, namespace: str = "x") -> None:
        self.query_id = query_id
        self.namespace = namespace

    def docs_namespace(self) -> str:
        return self.namespace

    def has_qrels(self) -> bool:
        return self.query_id is not None

    def has_queries(self) -> bool:
        return True

    def docs_iter(self) -> Iterator[TitledDocument]:
        yield TitledDocument("d1", "one", "T")

    def queries_iter(self) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(query_id=self.query_id, default_text=lambda: f"text of {self.query_id}")

    def qrels_iter(self) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(query_id=self.query_id, doc_id="d1", relevance=1, iteration="0")


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ir_datasets with `beir/x` (train and test below it) and `beir/y` (judged itself)."""
    known = {
        "beir": FakeIrDataset(),
        "beir/x": FakeIrDataset(),
        "beir/x/train": FakeIrDataset("q1"),
        "beir/x/test": FakeIrDataset("q2"),
        "beir/x/test/part": FakeIrDataset("q3"),
        "beir/y": FakeIrDataset("q4"),
        "beir/z": FakeIrDataset(),
        "beir/o": FakeIrDataset("q5", "other"),
    }
    fake = SimpleNamespace(registry=known, load=known.__getitem__)
    monkeypatch.setattr(from_ir_datasets, "require", lambda module, purpose: fake)


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize(
    ("name", "splits"),
    [("beir/x", {"train": "q1", "test": "q2"}), ("beir/x/train", {"train": "q1"}), ("beir/y", {"test": "q4"})],
)
def test_ir_datasets_name_and_its_direct_children_are_the_splits(name: str, splits: dict[str, str]) -> None:
    found = from_ir_datasets.convert(from_ir_datasets.download(name))
    assert list(found.documents) == [Document("d1", "T", "one")]
    assert set(found.queries) == {Query(query_id, f"text of {query_id}") for query_id in splits.values()}
    assert found.qrels == {split: {query_id: {"d1": 1}} for split, query_id in splits.items()}


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize(
    ("name", "problem"), [("beir/z", "no queries and judgements"), ("beir", r"corpora \['other', 'x'\]")]
)
def test_ir_datasets_name_without_judgements_or_of_several_corpora_is_an_error(name: str, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        from_ir_datasets.download(name)


def test_fetch_writes_a_beir_folder_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fake(name: str) -> Collection:
        return Collection(DOCUMENTS, [Query("q", name)], {"test": {"q": {"d1": 1}}})

    monkeypatch.setitem(sources.SOURCES, "hf", fake)
    assert sources.fetch("hf:org/name", tmp_path)
    assert load(tmp_path).queries("test") == {"q": "org/name"}
    assert manifest.expect(tmp_path, "dataset", "data fetch").parameters["source"] == "hf:org/name"
    monkeypatch.setitem(sources.SOURCES, "hf", None)
    assert not sources.fetch("hf:org/name", tmp_path)
    with pytest.raises(StaleOutputError, match="org/other"):
        sources.fetch("hf:org/other", tmp_path)


@pytest.mark.parametrize("reference", ["scifact", "beir:scifact", "mteb:"])
def test_an_unknown_prefix_is_refused(tmp_path: Path, reference: str) -> None:
    with pytest.raises(ConfigError, match="mteb, hf, ir_datasets"):
        sources.fetch(reference, tmp_path)


def test_a_failing_network_is_an_error_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(name: str) -> Collection:
        raise ConnectionError("name or service not known\nlong trace")

    monkeypatch.setitem(sources.SOURCES, "hf", unreachable)
    with pytest.raises(DataError, match="which needs the network") as caught:
        sources.fetch("hf:BeIR/scifact", tmp_path)
    assert "ConnectionError: name or service not known\n" in str(caught.value)


def test_a_missing_library_is_named_with_its_pip_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ir_datasets", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "rankdistill\[hub\]"'):
        sources.fetch("ir_datasets:beir/scifact", tmp_path)


def test_every_source_says_which_libraries_it_records() -> None:
    assert sources.LIBRARIES.keys() == sources.SOURCES.keys()


@pytest.mark.parametrize("label", [0.9, "0.9", True, None, 10**9, float("nan")])
def test_a_label_that_is_no_whole_number_is_refused_by_every_source(label: Any) -> None:
    qrels = [{"query-id": "q", "corpus-id": "d1", "score": label}]
    tables = from_hub.Tables({"c": CORPUS}, {"q": [{"id": "q", "text": "t"}]}, {"test": qrels})
    converters: list[Callable[[], object]] = [
        lambda: from_hub.convert(tables),
        lambda: from_mteb.convert({"default": {"test": mteb_split({"q": "t"}, {"q": {"d1": label}})}}),
    ]
    for convert in converters:
        with pytest.raises(DataError, match="qrels test, row 1: the score"):
            convert()


def test_one_pair_with_two_labels_is_refused() -> None:
    qrels = [{"query-id": "q", "corpus-id": "d1", "score": label} for label in (1, 1, 2)]
    tables = from_hub.Tables({"c": CORPUS}, {"q": [{"id": "q", "text": "t"}]}, {"test": qrels})
    with pytest.raises(DataError, match="row 3: query 'q' and document 'd1' have two labels"):
        from_hub.convert(tables)
