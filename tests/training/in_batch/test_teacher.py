"""In-batch teachers: the scores of the teacher itself, whatever it is made from, and encoded once."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy import sparse

import rankdistill as rd
from rankdistill import teachers
from rankdistill.data import Dataset
from rankdistill.errors import ConfigError, ModelReferenceError, StoreError
from rankdistill.training.in_batch import encoded
from rankdistill.training.in_batch.reference import refer
from rankdistill.training.in_batch.topics import topics_of

pytestmark = pytest.mark.usefixtures("torch_alone")

MODELS = ["tiny_encoder", "tiny_splade", "tiny_multi_vector"]


def texts_of(data: Dataset) -> tuple[list[str], list[str]]:
    return list(data.queries("train").values()), list(data.contents.values())


def opened(name: str, folder: Path, queries: list[str], documents: list[str]) -> Any:
    found = refer(name).open(folder)
    found.know(queries, "query")
    found.know(documents, "document")
    found.let_go()
    return found


@pytest.mark.parametrize("model", MODELS)
def test_a_model_scores_every_pair_as_the_teacher_that_it_is(
    model: str, tiny_data: Dataset, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoded, "SHARD", 7)
    queries, documents = texts_of(tiny_data)
    name = request.getfixturevalue(model)
    found = opened(name, tmp_path / "kept", queries, documents)
    asked = [queries[at] for at in (9, 2, 2)], [documents[at] for at in (30, 1, 8, 30)]
    pairs = [(query, document) for query in asked[0] for document in asked[1]]
    wanted = teachers.load(name).score(pairs).reshape(3, 4)
    scores = found.scores(*asked)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, wanted, rtol=1e-4, atol=1e-5)
    assert found.teacher_id == teachers.load(name).teacher_id
    assert len(np.unique(np.asarray(scores).round(4))) == 6


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_store_scores_as_its_teacher(dtype: str, tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> None:
    store = rd.embed(tiny_beir, tiny_encoder, tmp_path / "store", dtype=dtype)
    queries, documents = texts_of(rd.open(tiny_beir))
    found = opened(str(store.path), tmp_path / "kept", queries, documents)
    pairs = [(query, document) for query in queries[:3] for document in documents[:5]]
    wanted = teachers.load(tiny_encoder).score(pairs).reshape(3, 5)
    tolerance = 1e-5 if dtype == "float32" else 2e-3
    np.testing.assert_allclose(found.scores(queries[:3], documents[:5]), wanted, atol=tolerance)
    np.testing.assert_allclose(found.vectors(queries, "query"), found.topic_vectors(queries))
    assert refer(str(store.path)).identity == store.identity
    assert not (tmp_path / "kept").exists()


def test_a_store_that_lacks_texts_says_how_many_and_which(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> None:
    store = rd.embed(tiny_beir, tiny_encoder, tmp_path / "store")
    found = refer(str(store.path)).open(tmp_path)
    queries, _ = texts_of(rd.open(tiny_beir))
    with pytest.raises(StoreError, match=r"lacks 2 of 14, first 'a stranger'") as caught:
        found.know([*queries, "a stranger", "another"], "query")
    assert "rankdistill embed" in caught.value.remedy
    with pytest.raises(StoreError, match="lacks 1 of 1"):
        found.scores([queries[0]], ["a stranger"])


def test_a_long_encoding_says_how_far_it_is(
    tiny_data: Dataset,
    tiny_encoder: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(encoded, "SHARD", 4)
    monkeypatch.setattr(encoded, "EVERY", 0.0)
    caplog.set_level(logging.INFO, logger="rankdistill")
    queries = texts_of(tiny_data)[0][:10]
    opened(tiny_encoder, tmp_path, queries, [])
    told = [line.split("texts: ")[1] for line in caplog.messages if "so far" in line]
    assert told == ["0 of 10 so far", "4 of 10 so far", "8 of 10 so far"]


@pytest.mark.parametrize("model", MODELS)
def test_what_was_encoded_is_not_encoded_again(
    model: str,
    tiny_data: Dataset,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A kill after some shards costs these no second encoding, and the scores are the same."""
    caplog.set_level(logging.INFO, logger="rankdistill")
    monkeypatch.setattr(encoded, "SHARD", 16)
    queries, documents = texts_of(tiny_data)
    name = request.getfixturevalue(model)
    whole = opened(name, tmp_path / "kept", queries, documents).scores(queries, documents)
    assert len(caplog.messages) == 2
    killed = sorted((tmp_path / "kept").glob("document-*"))
    assert len(killed) == 3
    killed[1].unlink()
    again = refer(name).open(tmp_path / "kept")
    asked: list[int] = []
    form = type(again._form)
    encode = form.encode

    def watched(self: Any, model: Any, texts: list[str], kind: Any) -> Any:
        asked.append(len(texts))
        return encode(self, model, texts, kind)

    monkeypatch.setattr(form, "encode", watched)
    again.know(queries, "query")
    again.know(documents, "document")
    assert asked in ([16], [8])
    np.testing.assert_array_equal(again.scores(queries, documents), whole)


@pytest.mark.parametrize("model", MODELS)
def test_every_kind_of_teacher_gives_topics(
    model: str, tiny_data: Dataset, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    queries, _ = texts_of(tiny_data)
    found = topics_of(
        opened(request.getfixturevalue(model), tmp_path, queries, []), [*queries, queries[3]], 4, 1, tmp_path
    )
    assert len(set(found.of_query)) == 4
    assert found.of_query[3] == found.of_query[-1]
    assert sorted(found.chain) == [0, 1, 2, 3]


def test_only_a_dense_teacher_has_vectors_of_texts(tiny_data: Dataset, tiny_splade: str, tmp_path: Path) -> None:
    queries, documents = texts_of(tiny_data)
    found = opened(tiny_splade, tmp_path, queries, documents)
    assert found.topic_vectors(queries).shape[0] == len(queries)
    with pytest.raises(ConfigError, match="a dense in-batch teacher"):
        found.vectors(queries, "query")


def test_a_teacher_of_pairs_is_refused(tiny_cross_encoder: str) -> None:
    with pytest.raises(ConfigError, match="of the kind cross_encoder"):
        refer(tiny_cross_encoder)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelReferenceError):
        refer(str(tmp_path / "none"))


def test_a_settings_file_gives_the_teacher_its_prompt(tiny_data: Dataset, tiny_encoder: str, tmp_path: Path) -> None:
    (tmp_path / "teacher.yaml").write_text(f"kind: embedding\nmodel: {tiny_encoder}\nquery_prompt: 'the deep '\n")
    queries, documents = texts_of(tiny_data)
    plain = opened(tiny_encoder, tmp_path / "one", queries, documents)
    prompted = opened(str(tmp_path / "teacher.yaml"), tmp_path / "other", queries, documents)
    assert refer(str(tmp_path / "teacher.yaml")).identity != refer(tiny_encoder).identity
    assert not np.allclose(plain.vectors(queries, "query"), prompted.vectors(queries, "query"), atol=1e-3)
    np.testing.assert_allclose(plain.vectors(documents, "document"), prompted.vectors(documents, "document"), atol=1e-6)


def test_an_ensemble_scores_every_pair_as_the_teacher_that_it_is(
    tiny_beir: Path, tiny_encoder: str, tiny_splade: str, tmp_path: Path
) -> None:
    """A member may be a store of its vectors; the teacher's id is not the ensemble's of models then."""
    store = rd.embed(tiny_beir, tiny_encoder, tmp_path / "store")
    queries, documents = texts_of(rd.open(tiny_beir))
    sparse = {"kind": "sparse", "model": tiny_splade}
    besides = {"kind": "ensemble", "weights": [3, 1], "deviations": [0.1, 2.0]}
    found = {}
    for name, member in (("model", tiny_encoder), ("store", str(store.path))):
        file = tmp_path / f"{name}.yaml"
        file.write_text(yaml.safe_dump(besides | {"members": [member, sparse]}))
        found[name] = opened(str(file), tmp_path / "kept", queries, documents)
    asked = queries[:3], documents[4:8]
    pairs = [(query, document) for query in asked[0] for document in asked[1]]
    wanted = teachers.load(str(tmp_path / "model.yaml")).score(pairs).reshape(3, 4)
    for teacher in found.values():
        np.testing.assert_allclose(teacher.scores(*asked), wanted, rtol=1e-4, atol=1e-4)
        assert teacher.scores(*asked).dtype == np.float32
        np.testing.assert_allclose(teacher.topic_vectors(queries), found["model"].topic_vectors(queries), atol=1e-5)
        with pytest.raises(ConfigError, match="one vector a text"):
            teacher.vectors(queries, "query")
    identities = {refer(str(tmp_path / f"{name}.yaml")).identity for name in found}
    (tmp_path / "model.yaml").write_text(
        yaml.safe_dump(besides | {"members": [tiny_encoder, sparse], "weights": [1, 1]})
    )
    assert len(identities | {refer(str(tmp_path / "model.yaml")).identity}) == 3


def test_an_ensemble_without_deviations_or_of_pairs_is_refused(
    tiny_encoder: str, tiny_splade: str, tiny_cross_encoder: str, tmp_path: Path
) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(yaml.safe_dump({"kind": "ensemble", "members": [tiny_encoder, tiny_splade]}))
    with pytest.raises(ConfigError, match="`deviations`"):
        refer(str(file))
    members = [tiny_encoder, tiny_cross_encoder]
    file.write_text(yaml.safe_dump({"kind": "ensemble", "members": members, "deviations": [1, 1]}))
    with pytest.raises(ConfigError, match="a teacher of the kind cross_encoder"):
        refer(str(file))


def test_the_length_of_an_ensemble_is_that_of_members_without_settings(
    tiny_data: Dataset, tiny_encoder: str, tiny_splade: str, tmp_path: Path
) -> None:
    """The members are loaded as the ensemble that scores pairs loads them, and their vectors kept apart."""
    queries, documents = texts_of(tiny_data)
    files = {length: tmp_path / f"{length}.yaml" for length in (8, 32, None)}
    settings: dict[str, Any] = {"kind": "ensemble", "members": [tiny_encoder, tiny_splade], "deviations": [0.5, 2.0]}
    for length, file in files.items():
        file.write_text(yaml.safe_dump(settings | ({} if length is None else {"max_length": length})))
    assert len({refer(str(file)).identity for file in files.values()}) == 3
    own = settings | {"members": [{"kind": "embedding", "model": tiny_encoder, "max_length": 8}, tiny_splade]}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(own | {"max_length": 32}))
    for file in (*files.values(), tmp_path / "own.yaml"):
        found = opened(str(file), tmp_path / "kept", queries, documents)
        pairs = [(query, document) for query in queries[:3] for document in documents[:5]]
        wanted = teachers.load(str(file)).score(pairs).reshape(3, 5)
        np.testing.assert_allclose(found.scores(queries[:3], documents[:5]), wanted, rtol=1e-4, atol=1e-5)


def test_a_store_in_an_ensemble_is_not_of_another_length(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> None:
    store = rd.embed(tiny_beir, tiny_encoder, tmp_path / "store")
    file = tmp_path / "both.yaml"
    file.write_text(f"kind: ensemble\nmembers: [{store.path}, {tiny_encoder}]\ndeviations: [1, 1]\nmax_length: 8\n")
    with pytest.raises(ConfigError, match="it has those that it was made with"):
        refer(str(file))


@pytest.mark.parametrize("model", MODELS)
def test_what_was_damaged_since_is_encoded_again(
    model: str,
    tiny_data: Dataset,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(encoded, "SHARD", 7)
    queries, documents = texts_of(tiny_data)
    name = request.getfixturevalue(model)
    wanted = opened(name, tmp_path, queries, documents).scores(queries, documents[:9])
    path = sorted(tmp_path.glob("document-*"))[2]
    whole = path.read_bytes()
    path.write_bytes(whole[:-90] + bytes([whole[-90] ^ 0x40]) + whole[-89:])
    again = opened(name, tmp_path, queries, documents).scores(queries, documents[:9])
    assert f"{path.name} is damaged: it is made again" in caplog.text
    assert path.read_bytes() == whole
    np.testing.assert_array_equal(again, wanted)


def test_no_text_and_no_vector_of_a_collection_is_held(
    tiny_data: Dataset, tiny_splade: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoded, "SHARD", 7)
    queries, documents = texts_of(tiny_data)
    found = opened(tiny_splade, tmp_path / "kept", queries, documents)
    assert {len(key) for places in found._places.values() for key in places} == {16}
    assert all(isinstance(memory_of(block.data), np.memmap) for block in found._blocks)


def memory_of(array: Any) -> Any:
    """What has the array's memory, or maps it."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def test_sparse_vectors_that_an_earlier_version_kept_are_read(
    tiny_data: Dataset, tiny_splade: str, tmp_path: Path
) -> None:
    queries, documents = texts_of(tiny_data)
    wanted = opened(tiny_splade, tmp_path / "kept", queries, documents).scores(queries[:3], documents[:5])
    form = refer(tiny_splade).open(tmp_path / "other")._form
    for path in (tmp_path / "kept").glob("*-*"):
        if path.suffix:
            continue
        block = form.load(path)
        with (tmp_path / "old").open("wb") as file:
            sparse.save_npz(file, block, compressed=False)
        np.testing.assert_array_equal(form.load(tmp_path / "old").toarray(), block.toarray())
    again = opened(tiny_splade, tmp_path / "kept", queries, documents).scores(queries[:3], documents[:5])
    np.testing.assert_array_equal(again, wanted)
