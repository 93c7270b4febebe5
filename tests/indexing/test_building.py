"""Building, resuming and loading index folders."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from rankdistill import data
from rankdistill.data import Dataset
from rankdistill.errors import (
    ConfigError,
    DataError,
    ModelReferenceError,
    OutputError,
    SpaceMismatchError,
    StaleOutputError,
)
from rankdistill.evaluation.indexed import MemoryIndex
from rankdistill.files import temporary_of
from rankdistill.indexing import build, exact, faiss, load, registry
from rankdistill.indexing.base import Vectors
from tests.indexing.fakes import HashEncoder
from tests.recorded import record_again

TEXTS = ["what is the deep river", "bread"]


@pytest.fixture
def dataset(tiny_beir: Path) -> Dataset:
    return data.load(tiny_beir)


def tree(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("factory", ["exact", "Flat", "HNSW8"])
@pytest.mark.parametrize("shard_size", [None, 7, 40])
def test_every_kind_of_index_finds_the_document_whose_text_is_asked_for(
    dataset: Dataset, tmp_path: Path, factory: str, shard_size: int | None
) -> None:
    encoder = HashEncoder()
    assert build(dataset, "fake", tmp_path / "index", factory, shard_size, encoder=encoder)
    index = load(tmp_path / "index")
    assert index.ids == dataset.doc_ids
    assert index.space == encoder.space
    hits = index.search_texts(list(dataset.contents.values()), 1, encoder)
    assert [row[0].doc_id for row in hits] == dataset.doc_ids
    assert all(row[0].score == pytest.approx(1, abs=1e-6) for row in hits)


def test_shards_give_what_one_index_gives(dataset: Dataset, tmp_path: Path) -> None:
    encoder = HashEncoder()
    build(dataset, "fake", tmp_path / "one", encoder=encoder)
    build(dataset, "fake", tmp_path / "many", shard_size=11, encoder=encoder)
    assert len(list((tmp_path / "many").glob("shard-*"))) == 4
    one, many = (load(tmp_path / name).search_texts(TEXTS, 15, encoder) for name in ("one", "many"))
    assert [[hit.doc_id for hit in row] for row in one] == [[hit.doc_id for hit in row] for row in many]


def test_building_twice_encodes_once_and_the_bytes_are_the_same_elsewhere(dataset: Dataset, tmp_path: Path) -> None:
    encoder = HashEncoder()
    done: list[int] = []
    assert build(dataset, "fake", tmp_path / "a", "HNSW8", 15, encoder=encoder, progress=done.append)
    assert sum(done) == encoder.encoded == 40
    assert not build(dataset, "fake", tmp_path / "a", "HNSW8", 15, encoder=encoder)
    assert encoder.encoded == 40
    build(dataset, "fake", tmp_path / "b", "HNSW8", 15, encoder=encoder)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_a_killed_build_keeps_its_finished_shards(dataset: Dataset, tmp_path: Path) -> None:
    class Killed(HashEncoder):
        def encode_documents(self, texts: Sequence[str], progress: Callable[[int], None] | None = None) -> Vectors:
            if self.encoded >= 20:
                raise KeyboardInterrupt
            return super().encode_documents(texts, progress)

    with pytest.raises(KeyboardInterrupt):
        build(dataset, "fake", tmp_path / "index", shard_size=10, encoder=Killed())
    with pytest.raises(DataError, match="finished 'index' folder"):
        load(tmp_path / "index")
    encoder = HashEncoder()
    build(dataset, "fake", tmp_path / "index", shard_size=10, encoder=encoder)
    assert encoder.encoded == 20
    build(dataset, "fake", tmp_path / "whole", shard_size=10, encoder=HashEncoder())
    assert tree(tmp_path / "index") == tree(tmp_path / "whole")


def test_another_model_does_not_build_into_the_same_folder(dataset: Dataset, tmp_path: Path) -> None:
    build(dataset, "fake", tmp_path / "index", encoder=HashEncoder())
    before = tree(tmp_path / "index")
    with pytest.raises(StaleOutputError, match="model"):
        build(dataset, "fake", tmp_path / "index", encoder=HashEncoder(tower="other"))
    assert tree(tmp_path / "index") == before


@pytest.mark.parametrize(("dimension", "tower"), [(8, "fake"), (16, "other")])
def test_a_query_model_of_another_space_is_refused(
    dataset: Dataset, tmp_path: Path, dimension: int, tower: str
) -> None:
    build(dataset, "fake", tmp_path / "index", encoder=HashEncoder())
    with pytest.raises(SpaceMismatchError, match="dimension" if dimension == 8 else "document_tower"):
        load(tmp_path / "index").search_texts(TEXTS, 3, HashEncoder(dimension, tower))


def test_the_manifest_says_what_made_the_index(dataset: Dataset, tmp_path: Path) -> None:
    encoder = HashEncoder()
    build(dataset, "org/model", tmp_path / "index", "HNSW8", encoder=encoder, max_length=64, command="how")
    made = json.loads((tmp_path / "index" / "manifest.json").read_text())
    assert made["parameters"]["space"] == encoder.space.to_json()
    assert made["inputs"]["data"] == dataset.fingerprint
    assert made["command"] == "how"
    index = load(tmp_path / "index")
    assert (index.model, index.max_length) == ("org/model", 64)
    assert index.size == sum(
        path.stat().st_size for path in (tmp_path / "index").rglob("shard-*/*") if "snippets" not in path.name
    )


def test_an_index_whose_model_has_moved_says_so(dataset: Dataset, tmp_path: Path) -> None:
    build(dataset, str(tmp_path / "model"), tmp_path / "index", encoder=HashEncoder())
    with pytest.raises(ModelReferenceError, match="under the name that it had then") as told:
        load(tmp_path / "index").open_query_encoder()
    assert "--model" in told.value.remedy


def test_snippets_are_the_beginnings_of_the_texts(dataset: Dataset, tmp_path: Path) -> None:
    build(dataset, "fake", tmp_path / "index", shard_size=9, snippet_length=12, encoder=HashEncoder())
    found = load(tmp_path / "index").snippets(["d03", "d39"])
    assert found == {doc_id: dataset.contents[doc_id][:12] for doc_id in ("d03", "d39")}
    build(dataset, "fake", tmp_path / "bare", snippet_length=0, encoder=HashEncoder())
    assert load(tmp_path / "bare").snippets(["d03"]) == {}


def test_a_shard_of_no_documents_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="shard"):
        build(dataset, "fake", tmp_path / "index", shard_size=0, encoder=HashEncoder())


def test_an_index_whose_ids_were_damaged_is_not_loaded(dataset: Dataset, tmp_path: Path) -> None:
    build(dataset, "fake", tmp_path / "a", encoder=HashEncoder())
    build(dataset, "fake", tmp_path / "b", shard_size=20, encoder=HashEncoder())
    damaged = tmp_path / "a" / "shard-00000" / "ids.parquet"
    damaged.write_bytes((tmp_path / "b" / "shard-00000" / "ids.parquet").read_bytes())
    record_again(damaged.parent)
    record_again(tmp_path / "a")
    with pytest.raises(DataError, match="wrong names"):
        load(tmp_path / "a")


@pytest.mark.parametrize("backend", [("dense", "exact"), ("sparse", "exact"), ("multi_vector", "exact")])
def test_an_array_that_was_cut_off_is_an_error_that_names_it(tmp_path: Path, backend: tuple[str, str]) -> None:
    settings = registry.IndexSettings(
        4, "dot" if backend[0] != "multi_vector" else "maxsim", backend[1], kind=backend[0]
    )
    registry.create(settings).save(tmp_path)
    cut = sorted(tmp_path.glob("*.npy"))[0]
    cut.write_bytes(cut.read_bytes()[:20])
    with pytest.raises(DataError, match=cut.name):
        registry.load(tmp_path, settings)
    cut.unlink()
    with pytest.raises(DataError, match=cut.name):
        registry.load(tmp_path, settings)


def test_a_shard_that_is_gone_does_not_pass_for_fewer_documents(dataset: Dataset, tmp_path: Path) -> None:
    build(dataset, "fake", tmp_path / "index", shard_size=20, encoder=HashEncoder())
    shutil.rmtree(tmp_path / "index" / "shard-00001")
    with pytest.raises(DataError, match="are gone, as shard-00001"):
        load(tmp_path / "index")


def test_a_real_encoder_searches_as_sentence_transformers_does(
    dataset: Dataset, tiny_encoder: str, tmp_path: Path
) -> None:
    from sentence_transformers import SentenceTransformer

    from rankdistill.indexing import search

    build(dataset, tiny_encoder, tmp_path / "index", "HNSW16", max_length=32, backend="torch")
    hits = search(tmp_path / "index", TEXTS, 5, backend="torch")
    model = SentenceTransformer(tiny_encoder, device="cpu")
    model.max_seq_length = 32
    expected = model.encode(TEXTS) @ model.encode(list(dataset.contents.values())).T
    for row, scores in zip(hits, expected, strict=True):
        assert [hit.score for hit in row] == pytest.approx(sorted(scores, reverse=True)[:5], abs=1e-4)


@pytest.mark.parametrize(("factory", "file"), [("exact", exact.VECTORS_FILE), ("Flat", faiss.INDEX_FILE)])
def test_a_full_disk_is_an_error_that_says_so_and_leaves_no_file(tmp_path: Path, factory: str, file: str) -> None:
    """By themselves FAISS raises RuntimeError, and np.save an OSError without the reason."""
    index = registry.create(registry.IndexSettings(64, "dot", factory))
    vectors = np.random.default_rng(0).normal(size=(2000, 64)).astype(np.float32)
    index.add([f"d{row}" for row in range(2000)], vectors)
    temporary_of(tmp_path / file).symlink_to("/dev/full")
    with pytest.raises(OutputError, match="No space left on device"):
        index.save(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("factory", ["exact", "HNSW8"])
def test_a_text_that_stands_often_is_encoded_once(tmp_path: Path, factory: str) -> None:
    folder = write_beir(tmp_path / "data", {f"d{number}": f"text {number % 5}" for number in range(23)})
    encoder, done = HashEncoder(), list[int]()
    build(data.load(folder), "fake", tmp_path / "index", factory, 20, encoder=encoder, progress=done.append)
    assert (encoder.encoded, sum(done)) == (5 + 3, 23)
    found = load(tmp_path / "index").search_texts(["text 1"], 5, encoder)[0]
    assert [hit.doc_id for hit in found] == ["d1", "d6", "d11", "d16", "d21"]
    assert len({hit.score for hit in found}) == 1


@pytest.mark.parametrize(
    ("factory", "shard_size"),
    [("nonsense", None), ("PQ7", None), ("IVF41,Flat", None), ("L2norm,IVF30,Flat", 35), ("PQ8", None), ("BFlat", None),
     ("IMI2x4,Flat", None), ("ITQ16,LSH", None)],
)  # fmt: skip
def test_a_factory_that_cannot_be_used_is_refused_before_anything_is_encoded(
    dataset: Dataset, tmp_path: Path, factory: str, shard_size: int | None
) -> None:
    encoder = HashEncoder()
    with pytest.raises(ConfigError, match=r"factory string|enough vectors to train"):
        build(dataset, "fake", tmp_path / "index", factory, shard_size, encoder=encoder)
    if shard_size is None:
        with pytest.raises(ConfigError, match=r"factory string|enough vectors to train"):
            MemoryIndex(dataset, encoder, factory)
    assert encoder.encoded == 0


def test_copies_do_not_count_as_vectors_to_train_on(tmp_path: Path) -> None:
    folder = write_beir(tmp_path / "data", {f"d{number}": f"text {number % 5}" for number in range(50)})
    encoder = HashEncoder()
    with pytest.raises(ConfigError, match=r"at least 6 that differ(.|\n)*5 vectors"):
        build(data.load(folder), "fake", tmp_path / "index", "IVF6,Flat", encoder=encoder)
    assert encoder.encoded == 0


@pytest.mark.parametrize("shard_size", [None, 5])
def test_the_identity_of_an_index_names_copies_only_where_they_decide_what_it_finds(
    tmp_path: Path, shard_size: int | None
) -> None:
    copies = data.load(write_beir(tmp_path / "data", {f"d{i}": f"river {i // 4}" for i in range(12)}))
    without = data.load(write_beir(tmp_path / "plain", {f"d{i}": f"river {i}" for i in range(12)}))
    found = {}
    for name, documents in (("copies", copies), ("without", without)):
        for factory in ("exact", "HNSW4"):
            out = tmp_path / f"{name}-{factory}"
            build(documents, "fake", out, factory, shard_size, encoder=HashEncoder())
            found[name, factory] = json.loads((out / "manifest.json").read_text())["parameters"].get("copies")
    assert found == {
        ("copies", "exact"): None,
        ("copies", "HNSW4"): 9 if shard_size is None else 7,
        ("without", "exact"): None,
        ("without", "HNSW4"): None,
    }


def write_beir(folder: Path, documents: dict[str, str]) -> Path:
    """A data set of these documents, with one query."""
    (folder / "qrels").mkdir(parents=True)
    rows = [json.dumps({"_id": doc_id, "title": "", "text": text}) for doc_id, text in documents.items()]
    (folder / "corpus.jsonl").write_text("\n".join(rows) + "\n")
    (folder / "queries.jsonl").write_text(json.dumps({"_id": "q", "text": "text"}) + "\n")
    (folder / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\nq\t{next(iter(documents))}\t1\n")
    return folder
