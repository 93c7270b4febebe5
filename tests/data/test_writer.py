"""Written BEIR folders read back, and are the same bytes each time."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from rankdistill import manifest
from rankdistill.data import load
from rankdistill.data.writer import Collection, write_beir
from rankdistill.errors import OutputError
from rankdistill.files import hash_file
from rankdistill.records import Document, Query

DOCUMENTS = [Document("d1", "Täïtle", 'text\u2028 with "quotes"\n'), Document("d2", "", "more")]
QUERIES = [Query("q1", "première"), Query("q2", "second")]
QRELS = {"train": {"q1": {"d1": 2, "d2": 0}}, "test": {"q2": {"d2": 1}}}
MADE_BY = manifest.Manifest("dataset", {"numpy": "1"}, {"source": "test"}, {"numpy": "1"}, "command")


def collection() -> Collection:
    return Collection(iter(DOCUMENTS), iter(QUERIES), QRELS)


@pytest.mark.parametrize("compress", [False, True])
def test_what_is_written_reads_back(tmp_path: Path, compress: bool) -> None:
    write_beir(tmp_path / "out", collection, MADE_BY, compress)
    dataset = load(tmp_path / "out")
    assert list(dataset.documents()) == DOCUMENTS
    assert dataset.queries() == dict(QUERIES)
    assert {split: dataset.qrels(split) for split in dataset.splits} == QRELS


def test_same_collection_same_bytes_and_no_time_in_gzip(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_beir(tmp_path / name, collection, MADE_BY, compress=True)
    for path in sorted(file.relative_to(tmp_path / "a") for file in (tmp_path / "a").rglob("*") if file.is_file()):
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()
    assert (tmp_path / "a/corpus.jsonl.gz").read_bytes()[4:8] == bytes(4)
    assert gzip.decompress((tmp_path / "a/queries.jsonl.gz").read_bytes()).decode().count("\n") == 2


def test_manifest_names_inputs_and_the_hash_of_each_file(tmp_path: Path) -> None:
    write_beir(tmp_path, collection, MADE_BY)
    found = manifest.expect(tmp_path, "dataset", "data pydocs")
    assert (found.inputs, found.parameters, found.command) == ({"numpy": "1"}, {"source": "test"}, "command")
    assert found.outputs == {
        name: hash_file(tmp_path / name)
        for name in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv", "qrels/train.tsv")
    }


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # beir leaves files open
def test_beir_own_loader_reads_plain_files(tmp_path: Path) -> None:
    loader = pytest.importorskip("beir.datasets.data_loader")
    write_beir(tmp_path, collection, MADE_BY)
    corpus, queries, qrels = loader.GenericDataLoader(str(tmp_path)).load(split="train")
    assert corpus == {row.doc_id: {"title": row.title, "text": row.text} for row in DOCUMENTS}
    assert queries == {"q1": "première"}
    assert qrels == QRELS["train"]


def test_a_collection_of_somebody_else_is_not_overwritten(tiny_beir: Path) -> None:
    before = (tiny_beir / "corpus.jsonl").read_bytes()
    with pytest.raises(OutputError, match=r"corpus\.jsonl, queries\.jsonl, qrels without a manifest"):
        write_beir(tiny_beir, collection, MADE_BY)
    assert (tiny_beir / "corpus.jsonl").read_bytes() == before


def test_a_failing_source_leaves_no_file(tmp_path: Path) -> None:
    def broken() -> object:
        yield DOCUMENTS[0]
        raise RuntimeError("lost connection")

    with pytest.raises(RuntimeError):
        write_beir(tmp_path, lambda: Collection(broken(), QUERIES, QRELS), MADE_BY)  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
