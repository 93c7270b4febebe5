"""A limit of the query's tokens cuts queries, or is refused where it would do nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from sentence_transformers import SentenceTransformer

from rankdistill.data import Dataset
from rankdistill.errors import ConfigError
from rankdistill.training import query_length, types
from rankdistill.training.batch import Start
from rankdistill.training.columns import text_collator
from rankdistill.training.config import TrainConfig
from rankdistill.training.run import train
from tests.training.conftest import MemoryStore
from tests.training.test_run import SMALL

LIMIT = 6
ROW = {"query": "what is the old river of glass and stone " * 3, "positive": "the river is deep " * 5, "label": [1.0]}
STARTS = {
    "dense": "tiny_encoder",
    "splade": "tiny_splade",
    "multi-vector": "tiny_multi_vector",
    "pair-head": "tiny_encoder",
    "splade-doc": "tiny_splade",
    "inference-free": "tiny_splade",
    "cross-encoder": "tiny_cross_encoder",
}


@pytest.mark.parametrize("type_", ["dense", "splade", "multi-vector", "pair-head"])
def test_it_cuts_queries_and_no_documents(type_: str, tiny_data: Dataset, request: pytest.FixtureRequest) -> None:
    config = TrainConfig(type=type_, max_query_length=LIMIT)
    kind = types.get(type_)
    model = kind.load(Start(request.getfixturevalue(STARTS[type_]), config, lambda: iter(tiny_data.contents.values())))
    assert kind.cuts_queries(model)
    batch = kind.collator(model, ["query", "positive"], config)([ROW])
    assert batch["query_input_ids"].shape[1] == LIMIT
    assert batch["positive_input_ids"].shape[1] > LIMIT


@pytest.mark.parametrize("type_", ["splade-doc", "inference-free", "cross-encoder"])
def test_it_is_refused_where_queries_are_read_whole_or_with_the_document(
    type_: str, tiny_data: Dataset, tiny_store: MemoryStore, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    config = TrainConfig(**SMALL, steps=2, type=type_, max_query_length=LIMIT)
    start = request.getfixturevalue(STARTS[type_])
    with pytest.raises(ConfigError, match=r"max_query_length 6[\s\S]*no effect"):
        train(tiny_data, tiny_store, start, tmp_path / "student", config)
    assert not (tmp_path / "student" / "manifest.json").exists()
    train(tiny_data, tiny_store, start, tmp_path / "student", config.model_copy(update={"max_query_length": None}))


def test_it_is_refused_of_a_table_as_a_dense_student(
    tiny_data: Dataset, tiny_store: MemoryStore, static_student: str, tmp_path: Path
) -> None:
    config = TrainConfig(**SMALL, steps=2, type="dense", max_query_length=LIMIT)
    with pytest.raises(ConfigError, match="max_query_length"):
        train(tiny_data, tiny_store, static_student, tmp_path / "student", config)


def test_what_is_refused_would_have_done_nothing(static_student: str) -> None:
    """The library's tables take no limit: if they do one day, the refusal is to go."""
    model = SentenceTransformer(static_student, device="cpu")
    assert not query_length.reaches(model)
    limited, whole = (
        text_collator(model, ["query"], TrainConfig(max_query_length=limit))([ROW])["query_input_ids"]
        for limit in (LIMIT, None)
    )
    assert limited.tolist() == whole.tolist()


@pytest.mark.parametrize("setting", ["max_query_length", "max_document_length"])
def test_a_length_beyond_the_students_positions_is_refused(
    setting: str, tiny_data: Dataset, tiny_store: MemoryStore, tiny_encoder: str, tmp_path: Path
) -> None:
    config = TrainConfig(**SMALL, steps=2, type="dense", **{setting: 65})
    with pytest.raises(ConfigError, match=rf"{setting} of at most 64[\s\S]*got: 65"):
        train(tiny_data, tiny_store, tiny_encoder, tmp_path / "student", config)
    assert not (tmp_path / "student" / "manifest.json").exists()
