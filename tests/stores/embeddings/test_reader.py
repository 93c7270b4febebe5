"""Reading an embedding store: rows that belong together, mapped into memory, found by content."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from rankdistill import manifest
from rankdistill.errors import ConfigError, DataError, StoreError
from rankdistill.inference import export_cache
from rankdistill.integrity import NOTED
from rankdistill.space import Space
from rankdistill.stores.embeddings import mapping
from rankdistill.stores.embeddings.gathering import Gathered
from rankdistill.stores.embeddings.reader import EmbeddingStore
from rankdistill.stores.embeddings.status import describe
from tests.stores.embeddings.conftest import DIMENSION, HashEmbedder, MakeWriter, expected
from tests.stores.embeddings.test_writer import contents


@pytest.fixture
def store(writer: MakeWriter, tmp_path: Path) -> EmbeddingStore:
    """A finished store."""
    writer(HashEmbedder()).run()
    return EmbeddingStore(tmp_path / "store")


def wanted(store: EmbeddingStore) -> np.ndarray:
    """The vectors that the rows of `texts()` must have."""
    kinds, texts = (store.texts()[name].to_pylist() for name in ("kind", "text"))
    return np.stack([expected(kind, text) for kind, text in zip(kinds, texts, strict=True)])


def test_row_i_of_the_texts_belongs_to_row_i_of_the_vectors(store: EmbeddingStore, gathered: Gathered) -> None:
    assert store.texts().column_names == ["text_id", "kind", "source", "text"]
    assert np.array_equal(store.vectors(), wanted(store))
    assert len(store) == len(store.vectors()) == len(gathered)


def test_vectors_are_mapped_and_cannot_be_written(store: EmbeddingStore) -> None:
    vectors = store.vectors()
    assert isinstance(vectors, np.memmap)
    assert vectors.dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        vectors[0] = 0


def test_the_store_tells_whose_vectors_it_holds(store: EmbeddingStore) -> None:
    teacher = HashEmbedder()
    assert store.teacher_id == teacher.teacher_id
    assert store.reference == "path/to/model"
    assert store.fingerprint == teacher.fingerprint
    assert store.prompts == {"query": "q: ", "document": ""}
    assert store.space == teacher.space
    assert isinstance(store.space, Space)
    assert (store.dimension, store.dtype) == (DIMENSION, "float32")


def test_a_users_name_changes_nothing_but_its_own_file(
    store: EmbeddingStore, writer: MakeWriter, tmp_path: Path
) -> None:
    assert store.name == "model"
    before = contents(tmp_path / "store")
    assert writer(HashEmbedder(), name="mine").run().renamed is None
    named = EmbeddingStore(tmp_path / "store")
    assert (named.name, named.identity) == ("mine", store.identity)
    after = contents(tmp_path / "store")
    assert after == before | {name: after[name] for name in ("names.json", NOTED)}
    again = writer(HashEmbedder(), name="ours")
    assert again.called == f"ours ({store.teacher_id})"
    assert again.run().renamed == "mine"
    assert f"  ours ({store.teacher_id}): path/to/model, " in "\n".join(describe(store.path))
    assert writer(HashEmbedder()).called == f"ours ({store.teacher_id})"
    with pytest.raises(ConfigError, match="without a comma"):
        writer(HashEmbedder(), name="a,b")


def test_half_precision_is_rounded_once(writer: MakeWriter, tmp_path: Path) -> None:
    writer(HashEmbedder(), dtype="float16").run()
    store = EmbeddingStore(tmp_path / "store")
    assert store.vectors().dtype == np.float16
    assert np.array_equal(store.vectors(), wanted(store).astype(np.float16))


def test_texts_are_found_by_kind_and_content(store: EmbeddingStore) -> None:
    kinds, texts = (store.texts()[name].to_pylist() for name in ("kind", "text"))
    for kind in ("query", "document"):
        rows = [row for row, own in enumerate(kinds) if own == kind]
        assert store.find([f" {texts[row]}\n" for row in rows], kind).tolist() == rows
        others = [text for text, own in zip(texts, kinds, strict=True) if own != kind]
        assert store.find([*others[:3], "unknown"], kind).tolist() == [-1] * 4
    assert store.find([], "query").tolist() == []


def test_the_copy_is_made_once_and_anew_when_the_store_has_grown(
    store: EmbeddingStore, writer: MakeWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.vectors()
    first = sorted(path.name for path in (tmp_path / "store" / "mapped").glob("*.*") if path.suffix)
    with monkeypatch.context() as patch:
        patch.setattr(mapping.shards, "vectors", lambda paths: pytest.fail("made again"))
        EmbeddingStore(tmp_path / "store").vectors()
    made = manifest.expect(store.path, "embeddings", "embed")
    manifest.Manifest(made.artefact, made.inputs, made.parameters, outputs={**made.outputs, "x": "y"}).write(store.path)
    grown = EmbeddingStore(tmp_path / "store")
    assert np.array_equal(grown.vectors(), wanted(grown))
    second = sorted(path.name for path in (tmp_path / "store" / "mapped").glob("*.*") if path.suffix)
    assert len(second) == len(first) == 2
    assert not {*first} & {*second}


def test_a_store_that_cannot_be_written_to_is_mapped_from_the_cache(
    store: EmbeddingStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANKDISTILL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "store" / "mapped").write_text("a file is in the way")
    assert np.array_equal(store.vectors(), wanted(store))
    assert export_cache.cache_folder() == tmp_path / "cache"
    assert list((tmp_path / "cache" / "embeddings").glob("*/*.npy"))


def test_copies_in_the_cache_go_when_the_store_has_grown(
    store: EmbeddingStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And those of another store stay; what is mapped is read on."""
    monkeypatch.setenv("RANKDISTILL_CACHE", str(tmp_path / "cache"))
    shutil.copytree(store.path, tmp_path / "other")
    for path in (store.path, tmp_path / "other"):
        (path / "mapped").write_text("a file is in the way")
    other, before = EmbeddingStore(tmp_path / "other"), EmbeddingStore(store.path)
    for one in (other, before):
        one.vectors()
    copies, kept = mapping.cached_copies(before.layout), sorted(mapping.cached_copies(other.layout).iterdir())
    for state in range(3):
        grow(store.path, str(state))
        grown = EmbeddingStore(store.path)
        assert np.array_equal(grown.vectors(), wanted(grown))
        names = {f"{grown.identity}.npy", f"{grown.identity}.arrow"}
        assert {path.name for path in copies.iterdir() if path.suffix} == names
        assert {*json.loads((copies / NOTED).read_text())} == names
    assert sorted(mapping.cached_copies(other.layout).iterdir()) == kept
    assert np.array_equal(before.vectors(), wanted(before))


def grow(path: Path, state: str) -> None:
    made = manifest.expect(path, "embeddings", "embed")
    manifest.Manifest(made.artefact, made.inputs, made.parameters, outputs={**made.outputs, "x": state}).write(path)


def test_a_copy_that_another_process_removed_before_it_was_opened_is_made_again(
    store: EmbeddingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads another state of the store."""
    made, removed = mapping._made, []

    def then_removed(layout: object, name: str, build: object) -> Path:
        path = made(layout, name, build)
        if not removed:
            removed.append(path)
            path.unlink()
        return path

    monkeypatch.setattr(mapping, "_made", then_removed)
    assert np.array_equal(store.vectors(), wanted(store))
    assert removed[0].is_file()


def test_a_shard_that_is_missing_or_cut_off_is_an_error(store: EmbeddingStore, tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "store", tmp_path / "cut")
    first = min((tmp_path / "store" / "vectors").iterdir())
    first.unlink()
    with pytest.raises(StoreError, match=f"1 are missing, as {first}"):
        store.vectors()
    cut = tmp_path / "cut" / "vectors" / first.name
    cut.write_bytes(cut.read_bytes()[:-100])
    with pytest.raises(StoreError, match="whole Parquet file"):
        EmbeddingStore(tmp_path / "cut").vectors()
    assert not list((tmp_path / "cut" / "mapped").glob("*.npy"))


def test_a_text_without_a_vector_is_an_error(store: EmbeddingStore) -> None:
    shard = sorted(name for name in store.manifest.outputs if name.startswith("vectors/"))[0]
    outputs = {name: known for name, known in store.manifest.outputs.items() if name != shard}
    found = store.manifest
    manifest.Manifest(found.artefact, found.inputs, found.parameters, outputs=outputs).write(store.path)
    with pytest.raises(StoreError, match="none for 16 of them"):
        EmbeddingStore(store.path).vectors()


def test_another_artefact_or_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="rankdistill embed"):
        EmbeddingStore(tmp_path / "nothing")
    manifest.Manifest("scores").write(tmp_path)
    with pytest.raises(DataError, match="it holds 'scores'"):
        EmbeddingStore(tmp_path)


def test_status_shows_what_is_there(store: EmbeddingStore, writer: MakeWriter, gathered: Gathered) -> None:
    shown = "\n".join(describe(store.path))
    assert "embedding store, finished" in shown
    assert f"  model ({store.teacher_id}): path/to/model, 8 x float32, any length" in shown
    assert "query prompt: 'q: '" in shown
    assert f"vectors: {len(gathered)} in" in shown
    assert "document texts are longer than the teacher takes" in shown
    with pytest.raises(KeyboardInterrupt):
        writer(HashEmbedder(fail_after=40), store="begun").run()
    shown = "\n".join(describe(store.path.parent / "begun"))
    assert "interrupted" in shown
    assert "texts to embed" in shown


def test_counts_of_truncated_texts_are_those_of_the_texts(store: EmbeddingStore) -> None:
    kinds, texts = (store.texts()[name].to_pylist() for name in ("kind", "text"))
    found = {"query": 0, "document": 0}
    for kind, text in zip(kinds, texts, strict=True):
        found[kind] += len(text) > 60
    assert store.manifest.parameters["truncated"] == found
    assert sum(found.values())


@pytest.mark.parametrize("rows", [[], [3], [0, 1, 2], [2, 1, 0], [5, 6, -1, 7, 2, 3], [-1, -1]])
def test_runs_cover_every_row_once(rows: list[int]) -> None:
    found = [[rows[place] for place in run] for run in mapping._runs(np.array(rows, dtype=np.int64))]
    assert [row for run in found for row in run] == [row for row in rows if row >= 0]
    assert all(np.all(np.diff(run) == 1) for run in found)
