"""The verb `embed`, as a user types it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from rankdistill import data
from rankdistill.executors import registry
from rankdistill.stores.embeddings.reader import EmbeddingStore
from tests.cli.verb import Run
from tests.executors.pickling import PicklingExecutor
from tests.stores.embeddings.test_writer import contents


@pytest.fixture
def words(tiny_beir: Path, tiny_encoder: str) -> list[object]:
    """What most lines have in common, up to the folder of the store."""
    return ["--data", tiny_beir, "--teacher", tiny_encoder, "--backend", "torch", "--unit-size", 32, "--out"]


def prompted(tiny_encoder: str, folder: Path, **config: object) -> Path:
    """A copy of the tiny encoder with another configuration."""
    shutil.copytree(tiny_encoder, folder)
    path = folder / "config_sentence_transformers.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | config))
    return folder


def test_the_vectors_are_those_of_the_library(
    rankdistill: Run, tiny_beir: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    from sentence_transformers import SentenceTransformer

    prompts = {"query": "what is ", "document": "the river "}
    teacher = prompted(tiny_encoder, tmp_path / "teacher", prompts=prompts)
    line = ["embed", "--data", tiny_beir, "--teacher", teacher, "--out", tmp_path / "store"]
    status, text = rankdistill(*line)
    assert status == 0, text
    assert "tiny:documents: 40" in text
    assert "held out" not in text.partition("tiny:titles")[0]
    store, model = EmbeddingStore(tmp_path / "store"), SentenceTransformer(str(teacher), device="cpu")
    rows = store.texts().to_pylist()
    for kind, encode in (("query", model.encode_query), ("document", model.encode_document)):
        chosen = [row for row, one in enumerate(rows) if one["kind"] == kind]
        wanted = encode([rows[row]["text"] for row in chosen])
        np.testing.assert_allclose(store.vectors()[chosen], wanted, atol=2e-5)
    assert store.prompts == prompts
    dataset = data.load(tiny_beir)
    for split in ("dev", "test"):
        for kind in ("query", "document"):
            assert set(store.find(list(dataset.queries(split).values()), kind)) == {-1}
    assert -1 not in store.find(list(dataset.queries("train").values()), "query")


def test_a_plan_counts_and_measures_and_writes_nothing(rankdistill: Run, words: list[object], tmp_path: Path) -> None:
    status, text = rankdistill("embed", *words, tmp_path / "store", "--plan", "--sample", 20)
    assert status == 0
    for part in ("wanted 132 texts", "missing 132, in 5 shards", "size about", "texts/s (measured on a sample)"):
        assert part in text, text
    assert not (tmp_path / "store").exists()
    assert rankdistill("embed", *words, tmp_path / "store")[0] == 0
    status, text = rankdistill("embed", *words, tmp_path / "store", "--plan")
    assert (status, "missing 0, in 0 shards" in text, "time" in text) == (0, True, False)


def test_shares_and_workers_elsewhere_make_the_store_that_one_run_makes(
    rankdistill: Run, words: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rankdistill("embed", *words, tmp_path / "whole")[0] == 0
    whole = contents(tmp_path / "whole")
    status, text = rankdistill("embed", *words, tmp_path / "store", "--shard", "2/2")
    assert (status, "share 2/2 is done; 3 shards of the others are missing" in text) == (0, True)
    status, text = rankdistill("status", tmp_path / "store")
    assert "interrupted: the same command takes it up again" in text
    assert rankdistill("embed", *words, tmp_path / "store", "--shard", "1/2")[0] == 0
    assert contents(tmp_path / "store") == whole
    monkeypatch.setattr(registry, "create", lambda name, workers: PicklingExecutor())
    monkeypatch.setattr("rankdistill.executors.create", lambda name, workers: PicklingExecutor())
    assert rankdistill("embed", *words, tmp_path / "other", "--executor", "ray")[0] == 0
    assert contents(tmp_path / "other") == whole


def test_sources_are_added_one_after_the_other(rankdistill: Run, words: list[object], tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("an unheard-of query\n\nthe river\n")
    assert rankdistill("embed", *words, tmp_path / "store")[0] == 0
    line = ["embed", *words[2:], tmp_path / "store", "--texts", f"query={tmp_path / 'more.txt'}"]
    status, text = rankdistill(*line)
    assert (status, "more.txt: 2 (1 empty)" in text, "2 texts embedded" in text) == (0, True, True)
    status, text = rankdistill("status", tmp_path / "store")
    assert "embedding store, finished" in text
    assert "query texts: 94" in text
    assert "more.txt: 2 (1 empty)" in text
    assert "32 x float32, unit length" in text


def test_parts_can_be_left_out_and_limited(rankdistill: Run, words: list[object], tmp_path: Path) -> None:
    line = ["embed", *words, tmp_path / "store", "--no-titles", "--no-sentences", "--limit", 5, "--query-split", "dev"]
    status, text = rankdistill(*line)
    assert status == 0
    assert "tiny:queries: 5 (1 over limit)" in text
    store = EmbeddingStore(tmp_path / "store")
    assert sorted(store.texts()["source"].to_pylist()) == ["tiny:documents"] * 5 + ["tiny:queries"] * 5
    assert store.manifest.parameters["query_split"] == "dev"


def test_long_texts_are_counted_and_told(rankdistill: Run, words: list[object], tmp_path: Path) -> None:
    status, text = rankdistill("embed", *words, tmp_path / "store", "--max-length", 8, "--dtype", "float16")
    assert status == 0
    assert "40 document texts are longer than the teacher takes: it read their beginning" in text
    store = EmbeddingStore(tmp_path / "store")
    assert store.vectors().dtype == np.float16
    assert store.space.max_length == 8


def test_prompts_can_be_given(rankdistill: Run, words: list[object], tiny_encoder: str, tmp_path: Path) -> None:
    given = ["--query-prompt", "what is ", "--document-prompt", "the "]
    assert rankdistill("embed", *words, tmp_path / "store", *given)[0] == 0
    store = EmbeddingStore(tmp_path / "store")
    assert store.prompts == {"query": "what is ", "document": "the "}
    assert store.space.prompts["document"] == "the "
    status, text = rankdistill("embed", *words, tmp_path / "store")
    assert (status, "StaleOutputError" in text, "prompts.query was 'what is ', is now ''" in text) == (1, True, True)


def test_prompts_under_other_names_must_be_chosen(
    rankdistill: Run, tiny_beir: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    prompts = {"s2p_query": "what is "}
    teacher = prompted(tiny_encoder, tmp_path / "teacher", prompts=prompts)
    line = ["embed", "--data", tiny_beir, "--teacher", teacher, "--out", tmp_path / "store"]
    status, text = rankdistill(*line)
    assert (status, "prompts named s2p_query only" in text, "--query-prompt" in text) == (1, True, True)
    assert not (tmp_path / "store").exists()
    status, text = rankdistill(*line, "--query-prompt", "what is ", "--document-prompt", "")
    assert status == 0, text


def test_a_default_prompt_that_is_absent_is_an_error(
    rankdistill: Run, tiny_beir: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    teacher = prompted(tiny_encoder, tmp_path / "teacher", default_prompt_name="retrieval", prompts={})
    status, text = rankdistill("embed", "--data", tiny_beir, "--teacher", teacher, "--out", tmp_path / "store")
    assert (status, "default prompt 'retrieval'" in text, "Traceback" in text) == (1, True, False)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--dtype", "int8"], "float32 or float16"),
        (["--shard", "3/2"], "a share i/n"),
        (["--query-split", "training"], "dev, test, train"),
        (["--texts", "none.txt"], "no such file"),
        (["--backend", "quantum"], "a back end among"),
    ],
)
def test_bad_settings_are_explained(
    rankdistill: Run, words: list[object], tmp_path: Path, given: list[str], says: str
) -> None:
    line = [*words[:4], *words[6:], tmp_path / "store"] if "--backend" in given else [*words, tmp_path / "store"]
    status, text = rankdistill("embed", *line, *given)
    assert (status, says in text, "Traceback" in text) == (1, True, False), text
    assert not (tmp_path / "store").exists()


def test_what_is_no_dense_teacher_is_refused(
    rankdistill: Run, tiny_beir: Path, tiny_cross_encoder: str, tmp_path: Path
) -> None:
    line = ["embed", "--data", tiny_beir, "--teacher", tiny_cross_encoder, "--out", tmp_path / "store"]
    status, text = rankdistill(*line)
    assert (status, "embeds single texts into one vector each" in text) == (1, True)


def test_nothing_to_embed_is_refused(rankdistill: Run, tiny_encoder: str, tmp_path: Path) -> None:
    status, text = rankdistill("embed", "--teacher", tiny_encoder, "--out", tmp_path / "store")
    assert (status, "give --data or --texts" in text) == (1, True)


def test_a_back_end_that_is_not_exact_is_checked_and_calibrated_with_the_texts(
    rankdistill: Run, words: list[object], tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    line = [*words[:5], "onnx-int8", *words[6:]]
    status, text = rankdistill("embed", *line, tmp_path / "store", "--limit", 20, "--min-fidelity", 0.5)
    assert status == 0, text
    record = EmbeddingStore(tmp_path / "store").manifest.parameters["fidelity"]
    assert 0.5 <= record["cosine"] < 1
    assert record["texts"] > 40
    status, text = rankdistill("embed", *line, tmp_path / "other", "--limit", 20, "--min-fidelity", 1)
    assert (status, "BackendFidelityError" in text) == (1, True)
    assert not (tmp_path / "other").exists()
