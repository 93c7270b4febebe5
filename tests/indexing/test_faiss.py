"""FAISS indexes against exact search."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rankdistill import _extras
from rankdistill.errors import ConfigError, DataError, MissingDependencyError
from rankdistill.indexing import faiss
from rankdistill.indexing.base import Ids, Vectors
from rankdistill.indexing.exact import ExactIndex
from rankdistill.indexing.faiss import INDEX_FILE, FaissIndex, parse_search_parameters


def recall(found: Ids, truth: Ids) -> float:
    return float(np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(found, truth, strict=True)]))


@pytest.fixture
def oracle(vectors: Vectors, ids: list[str]) -> ExactIndex:
    index = ExactIndex(32, "cosine")
    index.add(ids, vectors)
    return index


def built(factory: str, vectors: Vectors, ids: list[str], **options: Any) -> FaissIndex:
    index = FaissIndex(32, "cosine", factory, **options)
    index.add(ids, vectors)
    return index


def test_flat_equals_exact(vectors: Vectors, queries: Vectors, ids: list[str], oracle: ExactIndex) -> None:
    found, scores = built("Flat", vectors, ids).search(queries, 10)
    truth, expected = oracle.search(queries, 10)
    assert (found == truth).all()
    np.testing.assert_allclose(scores, expected, atol=1e-6)


def test_the_native_object_is_the_one_that_is_searched(vectors: Vectors, ids: list[str], tmp_path: Path) -> None:
    built("HNSW32", vectors, ids).save(tmp_path)
    loaded = FaissIndex.load(tmp_path, "cosine", "HNSW32", {"efSearch": 77})
    assert loaded.native.ntotal == len(ids)
    assert loaded.native.hnsw.efSearch == 77


def test_flat_orders_equal_scores_by_insertion(ids: list[str]) -> None:
    same = np.ones((50, 32), np.float32)
    assert list(built("Flat", same, ids[:50]).search(same[:1], 50)[0][0]) == ids[:50]


def test_hnsw_finds_nearly_all_of_what_exact_finds(
    vectors: Vectors, queries: Vectors, ids: list[str], oracle: ExactIndex
) -> None:
    assert recall(built("HNSW32", vectors, ids).search(queries, 10)[0], oracle.search(queries, 10)[0]) > 0.97


def test_ivf_pq_finds_documents_near_the_best(vectors: Vectors, ids: list[str], oracle: ExactIndex) -> None:
    index = built("IVF4,PQ16x4", vectors, ids)
    found, scores = index.search(vectors[:50], 10)
    assert recall(found, oracle.search(vectors[:50], 10)[0]) > 0.4
    assert (np.diff(scores, axis=1) <= 0).all()
    assert np.mean([ids[row] in names for row, names in enumerate(found)]) > 0.9


def test_a_search_that_finds_too_few_is_filled_with_nothing(vectors: Vectors, ids: list[str]) -> None:
    index = built("IVF64,Flat", vectors, ids, search_parameters={"nprobe": 1})
    found, scores = index.search(vectors[:4], 500)
    assert found.shape == (4, 500)
    assert found[0, -1] == ""
    assert scores[0, -1] == -np.inf
    assert (np.isneginf(scores) == (found == "")).all()


def test_search_parameters_raise_recall(vectors: Vectors, queries: Vectors, ids: list[str], oracle: ExactIndex) -> None:
    truth = oracle.search(queries, 10)[0]
    index = built("IVF64,Flat", vectors, ids, search_parameters={"nprobe": 1})
    narrow = recall(index.search(queries, 10)[0], truth)
    index.set_search_parameters({"nprobe": 64})
    assert recall(index.search(queries, 10)[0], truth) == 1.0 > narrow


def test_faiss_defaults_are_not_used_for_the_search(vectors: Vectors, ids: list[str]) -> None:
    assert built("HNSW32", vectors, ids)._index.hnsw.efSearch == 128
    assert built("IVF64,Flat", vectors, ids)._index.nprobe == 32


BEHIND = [
    "IVF64,Flat", "L2norm,IVF64,Flat", "RR32,IVF64,Flat", "PCAR32,IVF64,Flat", "IDMap,IVF64,Flat",
    "IDMap2,RR32,IVF64,Flat", "Pad64,IVF64,Flat", "IVF64,Flat,RFlat", "IVF64_HNSW32,Flat", "L2norm,IVF64(HNSW32),Flat",
    "HNSW16", "RR32,HNSW16", "L2norm,HNSW16", "IDMap,HNSW16", "PCAR32,HNSW16,SQ8", "HNSW16,Flat,RFlat",
]  # fmt: skip


@pytest.mark.parametrize("factory", BEHIND)
def test_defaults_reach_an_index_behind_whatever_stands_before(
    vectors: Vectors, queries: Vectors, ids: list[str], oracle: ExactIndex, factory: str, tmp_path: Path
) -> None:
    library = faiss.import_faiss()
    index = built(factory, vectors, ids)
    truth = oracle.search(queries, 10)[0]
    index.save(tmp_path)
    for searched in (index, FaissIndex.load(tmp_path, "cosine", factory)):
        assert recall(searched.search(queries, 10)[0], truth) > (0.85 if "IVF" in factory else 0.95)
    given = built(factory, vectors, ids, search_parameters={"nprobe": 64} if "IVF" in factory else {"efSearch": 1000})
    assert recall(given.search(queries, 10)[0], truth) > (0.99 if "PCA" not in factory else 0.94)
    if "IVF" in factory:
        ivf = library.extract_index_ivf(_inner(library, index.native))
        assert ivf.nprobe == 32
        if "HNSW" in factory:
            assert library.downcast_index(ivf.quantizer).hnsw.efSearch == 128


def _inner(library: Any, index: Any) -> Any:
    """What is behind `IDMap` and `Refine`."""
    index = library.downcast_index(index)
    if isinstance(index, library.IndexIDMap):
        return _inner(library, index.index)
    return _inner(library, index.base_index) if isinstance(index, library.IndexRefine) else index


def test_a_refined_index_takes_k_factor(vectors: Vectors, queries: Vectors, ids: list[str], oracle: ExactIndex) -> None:
    truth = oracle.search(queries, 10)[0]
    index = built("L2norm,PQ8x4,RFlat", vectors, ids)
    one = recall(index.search(queries, 10)[0], truth)
    index.set_search_parameters({"k_factor": 100})
    assert recall(index.search(queries, 10)[0], truth) == 1.0 > one


@pytest.mark.parametrize(
    ("factory", "parameter"),
    [("L2norm,Flat", "nprobe"), ("RR32,HNSW16", "nprobe"), ("L2norm,IVF8,Flat", "efSearch"), ("HNSW16", "k_factor"),
     ("HNSW16", "efConstruction"), ("IDMap,IVF8,Flat", "ef_search")],
)  # fmt: skip
def test_a_parameter_that_the_index_does_not_have_is_refused_behind_a_prefix_too(factory: str, parameter: str) -> None:
    with pytest.raises(ConfigError, match=parameter):
        FaissIndex(32, "dot", factory, {parameter: 40})


@pytest.mark.parametrize(
    ("factory", "least"),
    [("Flat", 0), ("HNSW16", 0), ("IVF16,Flat", 16), ("L2norm,IVF16,Flat", 16), ("IDMap,IVF16,Flat", 16),
     ("PQ8x4", 16), ("IVF32,PQ8x4", 32), ("IVF4,PQ8x4fs", 16), ("HNSW16_PQ8x4", 16), ("IVF32,PQ8x4,RFlat", 32),
     ("OPQ8,PQ8x4", 256), ("IVF20_HNSW8,Flat", 20), ("PCAR16,IVF24,Flat", 24), ("PQ8x4,Refine(PQ8x5)", 32)],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore")
def test_what_training_needs_at_least_is_known_beforehand(
    vectors: Vectors, ids: list[str], factory: str, least: int
) -> None:
    index = FaissIndex(32, "cosine", factory)
    assert index.least_to_train == least
    if least:
        with pytest.raises(ConfigError, match="enough vectors to train"):
            index.require_trainable(least - 1)
        index.require_trainable(least)
        with pytest.raises(ConfigError, match="enough vectors to train"):
            index.add(ids[: least - 1], vectors[: least - 1])
        index = FaissIndex(32, "cosine", factory)
        index.add(ids[:least], vectors[:least])
        assert len(index.ids) == least


@pytest.mark.parametrize("factory", ["Flat", "HNSW16", "IVF4,PQ16x4", "SQ8", "L2norm,IVF8,Flat"])
@pytest.mark.parametrize("mmap", [True, False])
def test_save_and_load_give_the_same_answers(
    vectors: Vectors, queries: Vectors, ids: list[str], tmp_path: Path, factory: str, mmap: bool
) -> None:
    index = built(factory, vectors, ids)
    index.save(tmp_path)
    loaded = FaissIndex.load(tmp_path, "cosine", factory, mmap=mmap)
    for old, new in zip(index.search(queries, 9), loaded.search(queries, 9), strict=True):
        assert (old == new).all()


@pytest.mark.parametrize("factory", ["Flat", "HNSW16", "IVF8,Flat", "L2norm,IVF8,Flat"])
def test_mmap_maps_the_file(vectors: Vectors, ids: list[str], tmp_path: Path, factory: str) -> None:
    built(factory, vectors, ids).save(tmp_path)
    loaded = FaissIndex.load(tmp_path, "cosine", factory, mmap=True)
    with open("/proc/self/maps") as maps:
        assert str(tmp_path / faiss.INDEX_FILE) in maps.read()
    assert len(loaded.ids) == 1000


def test_the_same_vectors_give_the_same_bytes(vectors: Vectors, ids: list[str], tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        built("HNSW16", vectors, ids).save(tmp_path / name)
    assert (tmp_path / "a" / faiss.INDEX_FILE).read_bytes() == (tmp_path / "b" / faiss.INDEX_FILE).read_bytes()


@pytest.mark.parametrize("factory", ["IVF64,Flat", "IVF4,PQ16", "PQ16"])
def test_too_few_vectors_to_train_is_an_error_that_says_so(vectors: Vectors, ids: list[str], factory: str) -> None:
    with pytest.raises(ConfigError, match=r"enough vectors to train(.|\n)*50 vectors"):
        built(factory, vectors[:50], ids[:50])


@pytest.mark.parametrize("factory", ["nonsense", "PQ7"])
def test_a_bad_factory_string_is_an_error(factory: str) -> None:
    with pytest.raises(ConfigError, match="factory string"):
        FaissIndex(32, "dot", factory)


def test_a_search_parameter_of_another_index_is_an_error() -> None:
    with pytest.raises(ConfigError, match="nprobe"):
        FaissIndex(32, "dot", "Flat", {"nprobe": 3})


def test_k_above_the_number_of_documents_gives_all_of_them(vectors: Vectors, ids: list[str]) -> None:
    assert built("Flat", vectors[:5], ids[:5]).search(vectors[:2], 50)[0].shape == (2, 5)
    assert FaissIndex(32, "dot").search(vectors[:2], 5)[0].shape == (2, 0)


def test_missing_faiss_gives_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(_extras, "import_module", absent)
    with pytest.raises(MissingDependencyError, match=r'pip install "rankdistill\[faiss\]"'):
        FaissIndex(32, "dot")


def test_both_faiss_packages_at_once_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: "1.0")
    with pytest.raises(MissingDependencyError, match="both are installed"):
        FaissIndex(32, "dot")


def test_gpu_search_without_a_gpu_is_an_error(vectors: Vectors, ids: list[str], tmp_path: Path) -> None:
    if faiss.import_faiss().get_num_gpus() > 0:
        pytest.skip("this machine's FAISS has a GPU")
    built("Flat", vectors, ids).save(tmp_path)
    with pytest.raises(ConfigError, match="GPU"):
        FaissIndex.load(tmp_path, "cosine", "Flat", gpu=True)


def test_search_parameters_are_parsed_from_the_command_line() -> None:
    assert parse_search_parameters(["efSearch=256", "nprobe=8"]) == {"efSearch": 256.0, "nprobe": 8.0}
    for bad in ("efSearch", "efSearch=", "=x", "nprobe=many"):
        with pytest.raises(ConfigError, match="NAME=VALUE"):
            parse_search_parameters([bad])


@pytest.mark.parametrize("factory", ["HNSW0", "HNSW1", "HNSW99999999", "IVF4_HNSW0,Flat", "NSG1"])
def test_numbers_of_links_that_end_the_process_or_fill_any_memory_are_refused(factory: str) -> None:
    with pytest.raises(ConfigError, match="2 to 4096 links"):
        FaissIndex(32, "dot", factory)


@pytest.mark.parametrize("factory", ["IVF0,Flat", "PCA0,Flat", "IVF4,PQ0"])
def test_a_number_of_nothing_is_refused(factory: str) -> None:
    with pytest.raises(ConfigError, match="above 0"):
        FaissIndex(32, "dot", factory)


@pytest.mark.parametrize("factory", ["HNSW8", "IVF4,Flat", "Flat"])
@pytest.mark.parametrize("left", [0, 0.5, 0.99])
def test_a_file_that_is_cut_off_is_an_error_that_names_it(
    vectors: Vectors, ids: list[str], tmp_path: Path, factory: str, left: float
) -> None:
    built(factory, vectors, ids).save(tmp_path)
    file = tmp_path / INDEX_FILE
    file.write_bytes(file.read_bytes()[: int(left * file.stat().st_size)])
    with pytest.raises(DataError, match=INDEX_FILE):
        FaissIndex.load(tmp_path, "dot", factory)


def test_what_is_written_are_the_bytes_of_faiss(vectors: Vectors, ids: list[str], tmp_path: Path) -> None:
    index = built("HNSW8", vectors, ids)
    index.save(tmp_path)
    faiss.import_faiss().write_index(index.native, str(tmp_path / "theirs"))
    assert (tmp_path / INDEX_FILE).read_bytes() == (tmp_path / "theirs").read_bytes()
