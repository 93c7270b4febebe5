"""Queries of one model against documents of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rankdistill.bundles.making import bundle
from rankdistill.data import Dataset
from rankdistill.errors import ConfigError, SpaceMismatchError
from rankdistill.evaluation.measures import Run, evaluate_run
from rankdistill.evaluation.mteb import evaluate_through_mteb
from rankdistill.evaluation.opening import open_retriever
from rankdistill.indexing import build
from rankdistill.indexing.stored import StoredDocuments
from rankdistill.inference import TextEncoder
from rankdistill.space import Space
from rankdistill.stores.embeddings.reader import EmbeddingStore
from tests.evaluation.test_mteb import assert_three_tools_agree


class Store:
    """Some document vectors, as `EmbeddingStore` gives them."""

    teacher_id = "teacher-1"
    complete = EmbeddingStore.complete

    def __init__(self, space: Space, texts: Sequence[str], vectors: np.ndarray) -> None:
        self.space, self._texts, self._vectors = space, {text: row for row, text in enumerate(texts)}, vectors
        self.dimension = vectors.shape[1]

    def vectors(self) -> np.ndarray:
        return self._vectors

    def find(self, texts: Sequence[str], kind: str) -> np.ndarray:
        assert kind == "document"
        return np.array([self._texts.get(text, -1) for text in texts], np.int64)


def order(run: Run) -> dict[str, list[str]]:
    return {query: list(found) for query, found in run.items()}


def test_the_run_is_the_product_of_both_models_vectors(dataset: Dataset, student: str, teacher: str) -> None:
    from sentence_transformers import SentenceTransformer

    queries = dataset.queries("test")
    run = open_retriever(dataset, student, document_model=teacher, backend="torch").retrieve(queries, 5)
    of_queries = SentenceTransformer(student, device="cpu").encode_query(list(queries.values()))
    of_documents = SentenceTransformer(teacher, device="cpu").encode_document(list(dataset.contents.values()))
    scores = of_queries @ of_documents.T
    for row, query_id in enumerate(queries):
        assert sorted(run[query_id].values(), reverse=True) == pytest.approx(sorted(scores[row])[:-6:-1], abs=1e-4)


def test_a_bundle_an_index_and_two_models_give_one_run(
    dataset: Dataset, student: str, teacher: str, tmp_path: Path
) -> None:
    queries = dataset.queries("train")
    made = bundle(student, teacher, tmp_path / "bundle", onnx=False, router=False)
    build(dataset, str(made), tmp_path / "by-bundle", backend="torch")
    build(dataset, teacher, tmp_path / "by-teacher", backend="torch")
    systems = [
        open_retriever(dataset, student, document_model=teacher, backend="torch"),
        open_retriever(dataset, str(made), backend="torch"),
        open_retriever(dataset, str(made), tmp_path / "by-bundle", backend="torch"),
        open_retriever(dataset, str(made), tmp_path / "by-teacher", backend="torch"),
        open_retriever(dataset, student, tmp_path / "by-bundle", backend="torch"),
        open_retriever(dataset, student, tmp_path / "by-teacher", document_model=teacher, backend="torch"),
    ]
    runs = [system.retrieve(queries, 10) for system in systems]
    symmetric = open_retriever(dataset, teacher, backend="torch").retrieve(queries, 10)
    for run in runs:
        assert order(run) == order(runs[0]) != order(symmetric)


def test_the_identity_names_both_models(dataset: Dataset, student: str, teacher: str) -> None:
    both = open_retriever(dataset, student, document_model=teacher, backend="torch")
    alone = open_retriever(dataset, student, backend="torch")
    assert both.fingerprint["documents"] == TextEncoder(teacher, "torch").fingerprint
    assert both.fingerprint["encoder"] == alone.fingerprint["encoder"]
    assert "documents" not in alone.fingerprint
    assert both.name == f"{Path(student).name} on {Path(teacher).name}"


def test_models_of_two_spaces_are_refused(dataset: Dataset, student: str, stranger: str, teacher: str) -> None:
    with pytest.raises(SpaceMismatchError, match="document_tower"):
        open_retriever(dataset, stranger, document_model=teacher, backend="torch")
    with pytest.raises(SpaceMismatchError, match="document_tower"):
        open_retriever(dataset, student, document_model=stranger, backend="torch")
    open_retriever(dataset, stranger, document_model=teacher, unaligned=True, backend="torch")


def test_an_index_of_another_model_than_the_document_model_is_refused(
    dataset: Dataset, student: str, stranger: str, teacher: str, tmp_path: Path
) -> None:
    build(dataset, stranger, tmp_path / "index", backend="torch")
    with pytest.raises(SpaceMismatchError, match="document_tower"):
        open_retriever(dataset, student, tmp_path / "index", document_model=teacher, backend="torch")


@pytest.mark.filterwarnings("ignore:The fill_missing parameter:DeprecationWarning")  # mteb warns of its own calls
@pytest.mark.filterwarnings("ignore:The `get_sentence_embedding_dimension`:FutureWarning")
def test_all_tools_and_the_plain_router_give_the_same_values(
    dataset: Dataset, student: str, teacher: str, tmp_path: Path
) -> None:
    """The bundle's router, which mteb knows nothing of, through mteb's own encoding and search."""
    import mteb
    from sentence_transformers import SentenceTransformer

    from rankdistill.evaluation.mteb_task import local_task

    made = bundle(student, teacher, tmp_path / "bundle", onnx=False)
    ours = assert_three_tools_agree(
        open_retriever(dataset, str(made), backend="torch"), dataset, "train", tmp_path / "a"
    )
    router = SentenceTransformer(str(made / "router"), device="cpu")
    results = mteb.evaluate(
        router,
        local_task(dataset, "train", 100),
        cache=mteb.ResultCache(tmp_path / "b"),
        co2_tracker=False,
        show_progress_bar=False,
        encode_kwargs={"show_progress_bar": False},
    )
    scores = results.task_results[0].scores["train"][0]
    assert scores["ndcg_at_10"] == pytest.approx(ours["ndcg_at_10"], abs=1e-4)
    assert scores["recall_at_100"] == pytest.approx(ours["recall_at_100"], abs=1e-4)


class TestStoredDocuments:
    """Document vectors out of an embedding store."""

    def test_what_is_stored_is_not_encoded(self, dataset: Dataset, teacher: str) -> None:
        encoder = TextEncoder(teacher, "torch")
        texts = list(dataset.contents.values())
        vectors = encoder.encode_documents(texts)
        done: list[int] = []
        stored = StoredDocuments(encoder, Store(encoder.space, texts[::2], -vectors[::2]))  # type: ignore[arg-type]
        found = stored.encode_documents(texts, done.append)
        np.testing.assert_array_equal(found[::2], -vectors[::2])
        np.testing.assert_allclose(found[1::2], vectors[1::2], atol=1e-6)
        assert sum(done) == len(texts)

    def test_an_encoder_is_not_called_where_all_is_stored(self, dataset: Dataset, teacher: str) -> None:
        encoder = TextEncoder(teacher, "torch")
        texts = list(dataset.contents.values())
        store = Store(encoder.space, texts, encoder.encode_documents(texts))

        class Idle:
            space, fingerprint = encoder.space, encoder.fingerprint

            def encode_documents(self, texts: Sequence[str], progress: object = None) -> np.ndarray:
                raise AssertionError("encoded again")

        assert StoredDocuments(Idle(), store).encode_documents(texts).shape == (40, 32)  # type: ignore[arg-type]

    def test_rounding_is_part_of_the_identity_and_the_values_stay(self, dataset: Dataset, teacher: str) -> None:
        encoder = TextEncoder(teacher, "torch")
        texts = list(dataset.contents.values())
        vectors = encoder.encode_documents(texts)
        halves, wholes = (
            StoredDocuments(encoder, Store(encoder.space, texts, vectors.astype(dtype)))  # type: ignore[arg-type]
            for dtype in ("float16", "float32")
        )
        assert halves.fingerprint["stored"] == {"teacher_id": "teacher-1", "dtype": "float16"}
        assert wholes.fingerprint["stored"]["dtype"] == "float32"
        assert halves.encode_documents(texts).dtype == np.float32
        np.testing.assert_allclose(halves.encode_documents(texts), vectors, atol=1e-3)

    def test_a_store_of_another_space_is_refused(self, teacher: str) -> None:
        encoder = TextEncoder(teacher, "torch")
        for other in (replace(encoder.space, document_tower="x"), replace(encoder.space, max_length=16)):
            with pytest.raises(SpaceMismatchError, match=r"document_tower|max_length"):
                StoredDocuments(encoder, Store(other, [], np.empty((0, 32))))  # type: ignore[arg-type]

    def test_an_index_has_its_vectors_already(self, dataset: Dataset, teacher: str, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="holds its vectors"):
            open_retriever(dataset, teacher, tmp_path / "index", embeddings=tmp_path / "embeddings")


def test_mteb_keeps_systems_of_one_query_model_apart(
    dataset: Dataset, student: str, teacher: str, tmp_path: Path
) -> None:
    both = open_retriever(dataset, student, document_model=teacher, backend="torch", name="same")
    alone = open_retriever(dataset, student, backend="torch", name="same")
    values = [evaluate_through_mteb(system, dataset, "train", tmp_path) for system in (both, alone)]
    for system, found in zip((both, alone), values, strict=True):
        run = system.retrieve(dataset.queries("train"), 100)
        assert found == pytest.approx(evaluate_run(run, dataset.qrels("train")).means, abs=1e-4)
    assert values[0] != values[1]
